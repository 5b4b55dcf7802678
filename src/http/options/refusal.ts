/**
 * Answers that say no, in the form that every framework turns into a response by itself. Runs in every thread of the
 * host.
 */

import { SessionError, type SessionErrorCode } from '../../index.js';

/** Why a request is refused by an adapter, rather than by the manager. */
export type HttpRefusalCode = 'ERR_LOGIN_REQUIRED' | 'ERR_LOGIN_TOO_OLD' | 'ERR_CSRF' | 'ERR_CLIENT_UNKNOWN';

const refusals: Readonly<Record<HttpRefusalCode, { status: number; text: string }>> = {
  ERR_LOGIN_REQUIRED: { status: 401, text: 'Log in first' },
  ERR_LOGIN_TOO_OLD: { status: 401, text: 'Log in again: this needs a login that is more recent' },
  ERR_CSRF: { status: 403, text: 'The request does not show that it comes from a page of this site' },
  ERR_CLIENT_UNKNOWN: {
    status: 403,
    text: 'The address of the client is not known, and sessions here are bound to it',
  },
};

/**
 * Thrown by `requireLogin` and `checkCsrf`, and by what would begin a session where `bind.ip` has no address to bind
 * it to. Left alone, it becomes a response of its `status` in Express, Fastify, Hono and Koa; with node:http it
 * reaches the callback that the middleware was given only if it is handed on there.
 */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';
  readonly code: HttpRefusalCode;
  /** 401 or 403. */
  readonly status: number;
  /** The same, as Fastify calls it. */
  readonly statusCode: number;
  /** The message may be shown to the client. */
  readonly expose = true;

  constructor(code: HttpRefusalCode) {
    super(refusals[code].text);
    this.code = code;
    this.status = refusals[code].status;
    this.statusCode = this.status;
  }

  /** The response, as Hono asks for it. */
  getResponse(): Response {
    return responseOf(this.status, this.message);
  }
}

/** What the refusals of a manager mean over HTTP. Those that are left out are mistakes of the application: 500. */
const statuses: Readonly<Partial<Record<SessionErrorCode, number>>> = {
  ERR_SESSION_ENDED: 401,
  ERR_TOKEN_UNKNOWN: 401,
  ERR_SESSION_CONFLICT: 409,
  ERR_SESSION_LIMIT: 409,
  ERR_SESSION_TOO_LARGE: 413,
  ERR_TABLE_FULL: 503,
  ERR_OVERLOADED: 503,
  ERR_TIMEOUT: 503,
  ERR_STORE: 503,
  ERR_MANAGER_STOPPED: 503,
  ERR_MANAGER_RESTARTED: 503,
  ERR_MANAGER_FAILED: 503,
};

/**
 * The same error; a refusal of the manager knows its `status` afterwards, as `HttpRefusal` does. Not shown when it is
 * printed.
 */
export function withStatus(error: unknown): unknown {
  if (!(error instanceof SessionError) || 'status' in error) return error;
  const status = statuses[error.code];
  if (status === undefined) return error;
  const { message } = error;
  const expose = status < 500;
  const getResponse = () => responseOf(status, expose ? message : 'The session could not be reached: try again');
  for (const [key, value] of Object.entries({ status, statusCode: status, expose, getResponse }))
    Object.defineProperty(error, key, { value, configurable: true, writable: true });
  return error;
}

/** The same promise, whose error is given its status. */
export async function withStatusOf<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw withStatus(error);
  }
}

/** Whether a session had ended before a call reached it. */
export function isEnded(error: unknown): boolean {
  return error instanceof SessionError && error.code === 'ERR_SESSION_ENDED';
}

function responseOf(status: number, text: string): Response {
  return new Response(text, { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' } });
}
