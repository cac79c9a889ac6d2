/** How this program was started: from a checkout, or from an installed package. For Node only. */
import { existsSync } from 'node:fs';

/** True in a checkout, whose scripts build the kernels; false in an installed package and in a bundle. */
export function isCheckout(): boolean {
  // From dist/ and from src/base/. A bundle of CommonJS has no import.meta.url.
  const { url } = import.meta;
  try {
    return (
      Boolean(url) && ['..', '../..'].some((root) => existsSync(new URL(`${root}/scripts/kernels/native.mjs`, url)))
    );
  } catch {
    // Deno without --allow-read.
    return false;
  }
}

/** What starts the command line here: the beginning of every command that a message names. */
export const commandLine = (): string => (isCheckout() ? 'npm run -s performers --' : 'npx performers');
