import { DataError } from '../../../base/errors.ts';

/** A file that is whole, but of a form that is not read. */
export class RefusedFormat extends DataError {
  /**
   * @param what continues a sentence that begins with the name of the file: `is a tar archive`
   * @param how what to do, for a name of a file
   */
  constructor(
    readonly what: string,
    readonly how: (name: string) => string,
  ) {
    super(what);
  }

  /** The whole sentence. */
  about(path: string): DataError {
    const name = path.split(/[\\/]/).at(-1)!;
    return new DataError(`${path} ${this.what}; ${this.how(name)}.`);
  }
}
