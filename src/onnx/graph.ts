import {
  type ElementType,
  elementTypes,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from './model-file.ts';

type Attributes = Readonly<Record<string, OnnxAttribute>>;

/** What all graphs of a model share: names are unique in it, and inner graphs see the tensors and values of outer ones. */
interface Shared {
  count: number;
  readonly initialisers: Map<string, OnnxTensor>;
}

/** A loop along the first axis (or `axis`) of the inputs, which carries states from one pass to the next. */
interface ScanOptions {
  readonly states: readonly string[];
  readonly inputs: readonly string[];
  /** Axis along which inputs are cut and outputs joined. Default 0. */
  readonly axis?: number;
  /** Gives what the next pass starts from, and outputs of this one. Slices come without the axis. */
  readonly body: (
    graph: Graph,
    states: readonly string[],
    slices: readonly string[],
  ) => { states: readonly string[]; outputs: readonly string[] };
}

/** Builds an ONNX graph: values are names, and every method adds a node and returns the name of what it makes. */
export class Graph {
  readonly nodes: OnnxNode[] = [];
  readonly #shared: Shared;
  readonly #made = new Map<string, string>();

  constructor(shared: Shared = { count: 0, initialisers: new Map() }) {
    this.#shared = shared;
  }

  /** Adds a node with one output. Numbers among the inputs stand for float32 scalars. */
  add(op: string, inputs: readonly (string | number)[], attributes: Attributes = {}): string {
    return this.addMany(op, inputs, 1, attributes)[0];
  }

  addMany(op: string, inputs: readonly (string | number)[], numOutputs: number, attributes: Attributes = {}): string[] {
    const outputs = Array.from({ length: numOutputs }, () => this.#name(op));
    const names = inputs.map((input) => (typeof input === 'number' ? this.float(input) : input));
    this.nodes.push({ op, inputs: names, outputs, attributes });
    return outputs;
  }

  /** What `make` gives, made on the first call with this key only. */
  once(key: string, make: () => string): string {
    const made = this.#made.get(key) ?? make();
    this.#made.set(key, made);
    return made;
  }

  /** Gives a value the name of an output. */
  output(value: string, name: string): void {
    this.nodes.push({ op: 'Identity', inputs: [value], outputs: [name], attributes: {} });
  }

  /** A tensor under a name of its own, such as a parameter. */
  initialiser(name: string, tensor: OnnxTensor): string {
    this.#shared.initialisers.set(name, tensor);
    return name;
  }

  float(value: number): string {
    return this.#constant(`float(${value})`, { dims: [], data: Float32Array.of(value) });
  }

  /** A vector of float32 numbers, or an array of them. */
  floats(values: ArrayLike<number>, dims: readonly number[] = [values.length]): string {
    return this.initialiser(this.#name('floats'), { dims, data: Float32Array.from(values) });
  }

  doubles(values: ArrayLike<number>): string {
    return this.initialiser(this.#name('doubles'), { dims: [values.length], data: Float64Array.from(values) });
  }

  /** A vector of int64 numbers. */
  integers(...values: readonly number[]): string {
    const data = BigInt64Array.from(values, BigInt);
    return this.#constant(`integers(${values})`, { dims: [values.length], data });
  }

  /** An int64 scalar. */
  integer(value: number): string {
    return this.#constant(`integer(${value})`, { dims: [], data: BigInt64Array.of(BigInt(value)) });
  }

  /** One dimension of a value, as a vector of one number. */
  dimension(value: string, axis: number): string {
    return this.add('Shape', [value], { start: axis, end: axis + 1 });
  }

  /** A shape of given numbers and of vectors of one number. */
  shape(...dims: readonly (number | string)[]): string {
    const parts = dims.map((dim) => (typeof dim === 'number' ? this.integers(dim) : dim));
    return this.add('Concat', parts, { axis: 0 });
  }

  reshape(value: string, ...dims: readonly (number | string)[]): string {
    const fixed = dims.every((dim) => typeof dim === 'number');
    return this.add('Reshape', [value, fixed ? this.integers(...dims) : this.shape(...dims)]);
  }

  transpose(value: string, ...perm: readonly number[]): string {
    return this.add('Transpose', [value], { perm });
  }

  concat(axis: number, ...values: readonly string[]): string {
    return this.add('Concat', values, { axis });
  }

  /** Elements `start … end − 1` along an axis; both are numbers or vectors of one number. */
  slice(value: string, axis: number, start: number | string, end: number | string): string {
    const bounds = [start, end].map((bound) => (typeof bound === 'number' ? this.integers(bound) : bound));
    return this.add('Slice', [value, ...bounds, this.integers(axis)]);
  }

  unsqueeze(value: string, ...axes: readonly number[]): string {
    return this.add('Unsqueeze', [value, this.integers(...axes)]);
  }

  squeeze(value: string, ...axes: readonly number[]): string {
    return this.add('Squeeze', [value, this.integers(...axes)]);
  }

  cast(value: string, type: ElementType): string {
    return this.add('Cast', [value], { to: elementTypes[type] });
  }

  /** Reduces one axis, which stays with length 1. */
  reduce(op: 'ReduceMax' | 'ReduceSumSquare', value: string, axis: number): string {
    return this.add(op, [value], { axes: [axis], keepdims: 1 });
  }

  /** The final states, then the outputs of all passes, joined. All are float32. */
  scan({ states, inputs, axis = 0, body }: ScanOptions): string[] {
    const inner = new Graph(this.#shared);
    const given = (values: readonly string[]) => values.map(() => this.#name('given'));
    const [stateNames, sliceNames] = [given(states), given(inputs)];
    const made = body(inner, stateNames, sliceNames);
    // Every output of a body needs a name of its own.
    const results = [...made.states, ...made.outputs].map((value) => inner.add('Identity', [value]));
    const axes = (count: number) => new Array<number>(count).fill(axis);
    return this.addMany('Scan', [...states, ...inputs], results.length, {
      body: { graph: inner.#inside([...stateNames, ...sliceNames], results) },
      num_scan_inputs: inputs.length,
      scan_input_axes: axes(inputs.length),
      scan_output_axes: axes(made.outputs.length),
    });
  }

  /** What one of two bodies gives; both see the values of this graph. All are float32. */
  choose(
    condition: string,
    ifTrue: (graph: Graph) => readonly string[],
    ifFalse: (graph: Graph) => readonly string[],
  ): string[] {
    const [then_branch, else_branch] = [ifTrue, ifFalse].map((branch) => {
      const inner = new Graph(this.#shared);
      return {
        graph: inner.#inside(
          [],
          branch(inner).map((value) => inner.add('Identity', [value])),
        ),
      };
    });
    const { length } = then_branch.graph.outputs;
    return this.addMany('If', [condition], length, { then_branch, else_branch });
  }

  /** The whole, as the outermost graph of a model. */
  finish(name: string, inputs: readonly OnnxValue[], outputs: readonly OnnxValue[]): OnnxGraph {
    return { name, nodes: this.nodes, inputs, outputs, initialisers: this.#shared.initialisers };
  }

  #inside(inputs: readonly string[], outputs: readonly string[]): OnnxGraph {
    const floats = (names: readonly string[]) => names.map((name): OnnxValue => ({ name, type: 'float32' }));
    return { name: this.#name('body'), nodes: this.nodes, inputs: floats(inputs), outputs: floats(outputs) };
  }

  #constant(key: string, tensor: OnnxTensor): string {
    return this.#shared.initialisers.has(key) ? key : this.initialiser(key, tensor);
  }

  #name(kind: string): string {
    return `${kind}_${this.#shared.count++}`;
  }
}
