/** What a client is told when its request cannot be answered, in OpenAI's form. */

export type ErrorType = 'invalid_request_error' | 'rate_limit_error' | 'server_error';

interface ErrorDetails {
  /** What programs tell errors apart by, such as `model_not_found`. */
  readonly code?: string;
  /** The field at fault. */
  readonly param?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error with its HTTP status. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly details: ErrorDetails = {},
  ) {
    super(message);
  }

  get type(): ErrorType {
    if (this.status === 429) return 'rate_limit_error';
    return this.status >= 500 ? 'server_error' : 'invalid_request_error';
  }

  toJSON(): { error: { message: string; type: ErrorType; param: string | null; code: string | null } } {
    const { param = null, code = null } = this.details;
    return { error: { message: this.message, type: this.type, param, code } };
  }

  toResponse(): Response {
    const headers = { 'content-type': 'application/json', ...this.details.headers };
    return new Response(JSON.stringify(this), { status: this.status, headers });
  }
}

export function badRequest(message: string, param?: string, code?: string): ApiError {
  return new ApiError(400, message, { param, code });
}

/** OpenAI's clients repeat a request that failed with 409 or 5xx, unless told not to. */
export const noRetry = { 'x-should-retry': 'false' };

/** An unforeseen error is reported without its text, which may name files. */
export function toApiError(error: unknown): ApiError {
  return error instanceof ApiError
    ? error
    : new ApiError(500, 'The server failed on this request; its log says why.', { headers: noRetry });
}
