/** One call of a backend, as chrome://tracing and Perfetto read it: a complete event of the Trace Event Format. */
export interface TraceEvent {
  /** The call, such as `gemm`. */
  readonly name: string;
  readonly cat: 'kernel';
  readonly ph: 'X';
  /** Start and length in microseconds. */
  readonly ts: number;
  readonly dur: number;
  readonly pid: number;
  readonly tid: number;
  readonly args: {
    /** The layer of the model, such as `blocks.3.attention`. */
    readonly layer: string;
    /** Array → its axes. */
    readonly shapes: Readonly<Record<string, readonly number[]>>;
    readonly gigaflopsPerSecond?: number;
  };
}

export interface TraceSink {
  write(event: TraceEvent): void;
  /** Makes what was written last. */
  flush(): void;
}
