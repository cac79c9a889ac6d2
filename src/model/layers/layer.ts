import type { Backend } from '../../backend/types.ts';
import { ConfigurationError } from '../../base/errors.ts';
import { checkOptions, describe, option } from '../../base/options.ts';
import { type Random, randomKind } from '../../base/random.ts';
import { type Disposable, keep } from '../../tensor/scope.ts';
import { checkDrawable, type Shape } from '../../tensor/shape.ts';
import { checkBackend, Tensor } from '../../tensor/tensor.ts';

/** Something with named trained parameters. Names are dotted paths, such as `blocks.0.attention.query.weight`. */
export interface Layer {
  parameters(): Map<string, Tensor>;
  /**
   * Tensors that belong in a file but are not trained, such as projections; absent where a layer holds no such tensors.
   */
  buffers?(): Map<string, Tensor>;
}

/**
 * Base of layers and models of one's own. What a public field holds belongs to the module. A tensor is a trained
 * parameter, a layer brings its own, an array of layers brings those of each. Names are paths of fields, such as
 * `blocks.0.weight`. A tensor in two places counts once, under the first name. Fields with `#` are left out.
 *
 * `readWeights`, `loadWeights` and `AdamW` take any module.
 */
export class Module implements Layer {
  /** What is trained, by name, in the order of the fields. */
  parameters(): Map<string, Tensor> {
    const found = new Map<string, Tensor>();
    for (const [name, value] of fieldsOf(this)) {
      for (const [inner, parameter] of value instanceof Tensor ? [['', value] as const] : value.parameters()) {
        found.set(inner === '' ? name : `${name}.${inner}`, parameter);
      }
    }
    const seen = new Set<Tensor>();
    for (const [name, parameter] of found) {
      if (seen.has(parameter)) found.delete(name);
      seen.add(parameter);
    }
    return found;
  }

  /** What is not trained but belongs in a file, by name: the projections of FAVOR+ attentions. */
  buffers(): Map<string, Tensor> {
    const found = new Map<string, Tensor>();
    for (const [name, value] of fieldsOf(this)) {
      if (value instanceof Tensor) continue;
      for (const [inner, buffer] of value.buffers?.() ?? []) found.set(`${name}.${inner}`, buffer);
    }
    return found;
  }

  /** Number of trained numbers. */
  get numParameters(): number {
    return [...this.parameters().values()].reduce((total, { size }) => total + size, 0);
  }

  /** Frees everything that the module holds. */
  dispose(): void {
    for (const [, value] of fieldsOf(this)) {
      if (value instanceof Tensor || 'dispose' in value) (value as Disposable).dispose();
      else for (const parameter of value.parameters().values()) parameter.dispose();
    }
  }
}

/** The tensors and layers that the fields of a module hold, by name. */
function fieldsOf(module: Module): [name: string, value: Tensor | Layer][] {
  return Object.entries(module).flatMap(([name, value]): [string, Tensor | Layer][] => {
    const items: [string, unknown][] = Array.isArray(value)
      ? value.map((each, i) => [`${name}.${i}`, each])
      : [[name, value]];
    return items.filter((item): item is [string, Tensor | Layer] => item[1] instanceof Tensor || isLayer(item[1]));
  });
}

function isLayer(value: unknown): value is Layer {
  return typeof value === 'object' && value !== null && 'parameters' in value && typeof value.parameters === 'function';
}

/** The parameters of `layers`, each name prefixed by its layer's. */
export function gather(layers: Record<string, Layer>): Map<string, Tensor> {
  const all = new Map<string, Tensor>();
  for (const [prefix, layer] of Object.entries(layers)) {
    for (const [name, parameter] of layer.parameters()) all.set(`${prefix}.${name}`, parameter);
  }
  return all;
}

/** How the weights of a layer start. */
export interface InitialWeights {
  /** What they are drawn from, in the order in which layers are made; undefined = zeros, for weights that are loaded next. */
  readonly random: Random | undefined;
  /** They start as N(0, deviation²). Default: 1/√(width of the input). */
  readonly deviation?: number | undefined;
}

/** How the weights of a layer start whose last product is added to a residual stream. */
export interface ResidualWeights extends InitialWeights {
  /** Deviation of that product. Default: deviation. */
  readonly outputDeviation?: number | undefined;
}

/**
 * Checks what every layer is made with.
 *
 * @throws DataError for what is no backend; ConfigurationError for unknown keys, or where `random` is not said.
 */
export function checkInitial(where: string, backend: unknown, initial: unknown): asserts initial is ResidualWeights {
  checkBackend(where, backend);
  checkOptions<ResidualWeights>(where, initial ?? null, {
    random: randomKind,
    deviation: option.number,
    outputDeviation: option.number,
  });
  if (Object.hasOwn(initial as object, 'random')) return;
  throw new ConfigurationError(
    `${where}: give { random: new Random(seed) }, or { random: undefined } for weights that are loaded next.`,
  );
}

/** @throws ConfigurationError unless all are whole numbers of at least 1. */
export function checkSizes(where: string, sizes: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(sizes)) {
    if (!option.count.accepts(value)) {
      throw new ConfigurationError(`${where}: ${name} is ${describe(value)}; give ${option.count.wanted}.`);
    }
  }
}

/** Numbers that are drawn before they are copied to the backend. */
const PIECE = 2 ** 20;

function emptyParameter(backend: Backend, shape: Shape): Tensor {
  checkDrawable(shape);
  return keep(Tensor.empty(backend, shape));
}

/**
 * A parameter drawn from N(0, deviation²); outlives scopes.
 *
 * @param random undefined = zeros, for a model whose weights are loaded next: drawing takes longer than reading them
 */
export function normalParameter(backend: Backend, shape: Shape, deviation: number, random: Random | undefined): Tensor {
  if (!random) return constantParameter(backend, shape, 0);
  const parameter = emptyParameter(backend, shape);
  for (let start = 0; start < parameter.size; start += PIECE) {
    const length = Math.min(PIECE, parameter.size - start);
    const piece = Float32Array.from({ length }, () => deviation * random.normal());
    backend.write(parameter.storage, piece, start);
  }
  return parameter;
}

/** A parameter whose elements all start as `value`; outlives scopes. */
export function constantParameter(backend: Backend, shape: Shape, value: number): Tensor {
  const parameter = emptyParameter(backend, shape);
  backend.fill(parameter.storage, value);
  return parameter;
}
