/** zod/mini with zod's English messages, unless the program that loads this package has chosen a language. */
import * as z from 'zod/mini';
import { messageOf } from './errors.ts';

if (!z.config().localeError) z.config(z.locales.en());

export * as z from 'zod/mini';

/** `z.safeParse`, which also refuses what cannot be read: an accessor of `value` may throw anything. */
export function safeParse<S extends z.core.$ZodType>(
  schema: S,
  value: unknown,
): z.core.util.SafeParseResult<z.output<S>> {
  try {
    return z.safeParse(schema, value);
  } catch (error) {
    const message = `Invalid input: received what cannot be read (${messageOf(error)})`;
    const unreadable = z.custom<z.output<S>>(() => false, message);
    return z.safeParse(unreadable, undefined) as z.core.util.SafeParseResult<z.output<S>>;
  }
}
