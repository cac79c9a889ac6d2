import { z } from './zod.ts';

/**
 * An option that earlier versions had. A file that holds its default loads, without the option; another value is refused.
 *
 * @param instead what to do, after a colon
 */
export const removedOption = (wasDefault: string | number, instead: string) =>
  z.optional(
    z.pipe(
      z.literal(wasDefault, {
        error: `the option was removed, and only ${JSON.stringify(wasDefault)} is left: ${instead}`,
      }),
      z.transform(() => undefined),
    ),
  );
