/** What the front answers. Runs in the main thread. */

import type { ServerResponse } from 'node:http';
import { styleSource } from './style.js';

export interface Reply {
  readonly status: number;
  /** HTML. Default: none. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that says no, thrown by whoever finds out. */
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

/** The one style, forms to this site only, no frame around it, no script at all: a page that needs more names it. */
export function contentPolicy(...more: readonly string[]): Readonly<Record<string, string>> {
  const always = `default-src 'none'; style-src ${styleSource}; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;
  return { 'Content-Security-Policy': [always, ...more].join('; ') };
}

/** Nothing is kept on the way. */
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

/** For whoever has no session, or has it no more: the front door, and the cookie is removed there. */
export function toFrontDoor(): Reply {
  return redirect('/?ended');
}

/** Node leaves out the body of an answer to HEAD by itself. */
export function send(response: ServerResponse, { status, body = '', headers = {} }: Reply): void {
  response.writeHead(status, {
    ...always,
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}
