/** Files of kernels by their addresses, in browsers and in Node. */
import { ConfigurationError, messageOf, PlatformError } from '../../base/errors.ts';
import type { Place } from '../host.ts';

/** @throws PlatformError if the file does not come */
export async function fetchBytes(file: Place): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await fetch(file);
    if (!response.ok) throw new PlatformError(`the answer was ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new PlatformError(
      `The kernels could not be fetched from ${String(file).slice(0, 200)} (${messageOf(error)}): serve the files of ` +
        'performers/kernels/ there, or give their place as `kernels` of createBackend.',
    );
  }
}

/** The address of a file in a folder, which is relative to the page. */
export function within(folder: Place, name: string): URL {
  try {
    return new URL(name, new URL(`${folder}`.replace(/\/?$/, '/'), globalThis.location?.href));
  } catch {
    throw new ConfigurationError(
      `kernels is ${JSON.stringify(folder)}: give a whole address here, with its https: or file:.`,
    );
  }
}
