/** Post-processors of the Rust library `tokenizers`: the special tokens around one text. */
import { DataError } from '../../base/errors.ts';
import { z } from '../../base/zod.ts';
import { fieldsOf, ofType, type Part, partsAt } from './part.ts';

/** Puts special tokens around ids. */
export type PostProcessor = (ids: readonly number[]) => readonly number[];

/** @throws DataError when the part is of a type, or has a key, that is not supported */
export function readPostProcessor(part: Part): PostProcessor {
  return ofType(part, postProcessors)(part);
}

const id = () => z.int().check(z.minimum(0));
const token = () => z.tuple([z.string(), id()]);
const placed = () => z.strictObject({ id: z.string(), type_id: id() });
const template = () =>
  z.array(z.union([z.strictObject({ SpecialToken: placed() }), z.strictObject({ Sequence: placed() })]));

const postProcessors: Readonly<Record<string, (part: Part) => PostProcessor>> = {
  BertProcessing(part) {
    const { cls, sep } = fieldsOf(part, { cls: token(), sep: token() });
    return (ids) => [cls[1], ...ids, sep[1]];
  },
  ByteLevel(part) {
    fieldsOf(part, {
      add_prefix_space: z.optional(z.boolean()),
      trim_offsets: z.optional(z.boolean()),
      use_regex: z.optional(z.boolean()),
    });
    return (ids) => ids;
  },
  RobertaProcessing(part) {
    const { cls, sep } = fieldsOf(part, {
      cls: token(),
      sep: token(),
      add_prefix_space: z.optional(z.boolean()),
      trim_offsets: z.optional(z.boolean()),
    });
    return (ids) => [cls[1], ...ids, sep[1]];
  },
  Sequence(part) {
    fieldsOf(part, { processors: z.array(z.unknown()) });
    const steps = partsAt(part, 'processors').map(readPostProcessor);
    return (ids) => steps.reduce((given, step) => step(given), ids);
  },
  TemplateProcessing(part) {
    const { single, special_tokens: special } = fieldsOf(part, {
      single: template(),
      pair: z.optional(template()),
      special_tokens: z._default(
        z.record(z.string(), z.object({ id: z.string(), ids: z.array(id()), tokens: z.array(z.string()) })),
        {},
      ),
    });
    const parts = single.map((item) => {
      if ('Sequence' in item) return undefined;
      const found = special[item.SpecialToken.id];
      if (found) return found.ids;
      throw new DataError(
        `${part.where}.special_tokens lacks ${JSON.stringify(item.SpecialToken.id)}, which its template names: restore the file from a copy.`,
      );
    });
    return (ids) => parts.flatMap((around) => around ?? ids);
  },
};
