/** The answers of the demo. Runs in the main thread. */

import type { ServerResponse } from 'node:http';
import { styleSource } from './style.js';

export interface Reply {
  readonly status: number;
  /** HTML. Default: none. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A refusal as an error, thrown wherever a request is found wrong. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly status: number,
    readonly title: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** Allows the one style, forms to this site, no frames and no scripts. A page that needs more passes it. */
export function contentPolicy(...more: readonly string[]): Readonly<Record<string, string>> {
  const always = `default-src 'none'; style-src ${styleSource}; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;
  return { 'Content-Security-Policy': [always, ...more].join('; ') };
}

/** Answers are never cached. */
const always: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  ...contentPolicy(),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

export function redirect(location: string): Reply {
  return { status: 303, headers: { Location: location } };
}

/** For a visitor without a session, or whose session has ended: the front page, which removes the cookie. */
export function toFrontDoor(): Reply {
  return redirect('/?ended');
}

/** For HEAD, Node leaves out the body by itself. */
export function send(response: ServerResponse, { status, body = '', headers = {} }: Reply): void {
  response.writeHead(status, {
    ...always,
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}
