import { createHash, timingSafeEqual } from 'node:crypto';
import { ApiError } from '../errors.ts';

/** Checks bearer tokens, in a time that tells nothing about the key. Without a key everybody may enter. */
export class Authentication {
  readonly #key: Buffer | undefined;

  constructor(apiKey: string | undefined) {
    this.#key = apiKey === undefined ? undefined : digest(apiKey);
  }

  /** @param authorization the header of that name */
  allows(authorization: string | undefined): boolean {
    if (!this.#key) return true;
    const [, token] = /^bearer +(\S+) *$/i.exec(authorization ?? '') ?? [];
    return token !== undefined && timingSafeEqual(digest(token), this.#key);
  }

  /** @throws {ApiError} 401 */
  require(authorization: string | undefined): void {
    if (this.allows(authorization)) return;
    throw new ApiError(401, 'This server needs its API key: send the header "Authorization: Bearer KEY".', {
      code: 'invalid_api_key',
      headers: { 'www-authenticate': 'Bearer' },
    });
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
