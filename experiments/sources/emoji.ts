import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * The folder of 3,786 colour images of 64 × 64 that the package carries. The package has 70 MB, so it is no dependency.
 *
 * @throws when it is not installed
 */
export function emojiFolder(): string {
  try {
    const manifest = createRequire(import.meta.url).resolve('emoji-datasource-twitter/package.json');
    return join(dirname(manifest), 'img', 'twitter', '64');
  } catch {
    throw new Error(
      'The images are missing: install them with npm install --no-save emoji-datasource-twitter, or name a folder as "data" in a settings file and give that with --config.',
    );
  }
}
