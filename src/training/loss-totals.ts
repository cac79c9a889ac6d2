import type { Batch } from '../data/batches/windows.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { takeSum } from './batch-tensors.ts';

/** What a loss is made of: that of the objective, and errors against a teacher. */
type LossPartName = 'task' | 'attention' | 'logits' | 'hidden';

export interface LossPart {
  readonly name: LossPartName;
  /** With which it counts; 0 = it is measured alone. */
  readonly weight: number;
  /** Their sum is weight times the part or, where that is 0, the part. */
  readonly values: Tensor;
}

/** The loss of one batch; the elements of all parts whose weight is not 0 add up to it. */
export interface BatchLoss {
  readonly parts: readonly LossPart[];
  /** 1 where the largest logit is right, else 0; undefined where there is nothing to be right about. */
  readonly correct: Tensor | undefined;
}

/** How far a model is from its teacher, on average over positions; each is there where it is learnt. */
export interface TeacherErrors {
  /** Squared error of what attention gives, relative to the teacher's mean square; mean over the layers. */
  readonly attentionError?: number;
  /** Divergence of the logits' softmax from the teacher's, nats. */
  readonly logitsError?: number;
  /** Squared error of the last hidden states, relative to the teacher's mean square. */
  readonly hiddenError?: number;
}

/** Sums over batches. */
export class LossTotals {
  /** All parts with their weights. */
  loss = 0;
  /** Of `correct`; NaN where there was nothing to be right about. */
  hits = 0;
  readonly #measured = new Map<LossPartName, number>();

  /**
   * Adds the loss of a batch, whose tensors it disposes.
   *
   * @param batch where `correct` has one element for each target: the batch, whose negative targets do not count
   */
  async add({ parts, correct }: BatchLoss, batch?: Batch): Promise<void> {
    for (const { name, weight, values } of parts) {
      const sum = await takeSum(values);
      if (weight !== 0) this.loss += sum;
      const layers = parts.filter((part) => part.name === name).length;
      const share = sum / (weight || 1) / layers;
      this.#measured.set(name, (this.#measured.get(name) ?? 0) + share);
    }
    this.hits += correct ? await takeSum(correct, batch?.targets) : Number.NaN;
  }

  /** The objective's own loss, without its weight. */
  get task(): number {
    return this.#measured.get('task') ?? 0;
  }

  /** Errors against the teacher, without their weights, times `scale`. */
  errors(scale: number): TeacherErrors {
    const [attention, logits, hidden] = (['attention', 'logits', 'hidden'] as const).map((name) =>
      this.#measured.get(name),
    );
    return {
      ...(attention !== undefined && { attentionError: attention * scale }),
      ...(logits !== undefined && { logitsError: logits * scale }),
      ...(hidden !== undefined && { hiddenError: hidden * scale }),
    };
  }
}
