/** The package has no types. A `through` stream: it emits its data while it is written to. */
declare module 'unbzip2-stream' {
  import type { EventEmitter } from 'node:events';

  interface Unbzip2Stream extends EventEmitter {
    write(chunk: Uint8Array): boolean;
    end(): void;
  }

  export default function unbzip2(): Unbzip2Stream;
}
