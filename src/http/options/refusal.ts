/** Refusals as errors that every framework turns into an HTTP response. Runs in every thread of the host. */

import { SessionError, type SessionErrorCode } from '../../index.js';

/** Why an adapter, rather than the manager, refuses a request. */
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
 * Thrown by `requireLogin` and `checkCsrf`, and when a session would be created although `bind.ip` finds no address. If
 * it is not caught, Express, Fastify, Hono and Koa answer with its `status`. With node:http, the application has to
 * handle it.
 */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';
  readonly code: HttpRefusalCode;
  /** 401 or 403. */
  readonly status: number;
  /** The same value, under the name that Fastify reads. */
  readonly statusCode: number;
  /** The message may be shown to the client. */
  readonly expose = true;

  constructor(code: HttpRefusalCode) {
    super(refusals[code].text);
    this.code = code;
    this.status = refusals[code].status;
    this.statusCode = this.status;
  }

  /** Called by Hono. */
  getResponse(): Response {
    return responseOf(this.status, this.message);
  }
}

/** The HTTP statuses of the manager's refusals. Codes that are not listed are mistakes of the application: 500. */
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
 * Returns the error. A refusal of the manager gets `status` and the other properties that `HttpRefusal` has, not
 * enumerable, so that they are not printed.
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

/** The same promise; its error gets a status. */
export async function withStatusOf<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw withStatus(error);
  }
}

/** Whether a call was refused because the session had ended. */
export function isEnded(error: unknown): boolean {
  return error instanceof SessionError && error.code === 'ERR_SESSION_ENDED';
}

function responseOf(status: number, text: string): Response {
  return new Response(text, { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' } });
}
