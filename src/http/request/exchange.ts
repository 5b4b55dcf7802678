/** What the adapters have to know of a request, whatever framework it comes by. Runs in every thread of the host. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { clientAddress, isProxy } from '../options/address.js';
import type { ResolvedHttpOptions } from '../options/options.js';
import type { HeadSource } from '../response/head.js';
import { HeadHook } from '../response/node-response.js';

export interface Exchange {
  readonly method: string;
  /** A header by its lower-case name; undefined for none, and for what is no text. */
  header(name: string): string | undefined;
  /** The address of the other end of the connection, where it is known. */
  readonly peer: string | undefined;
  /** Whether that connection is over TLS. */
  readonly encrypted: boolean;
  /**
   * Whether a cookie can go out with what answers it. Where none can, no session is begun and no token changed:
   * nobody would hear of it.
   */
  readonly takesCookie: boolean;
  /**
   * Called before a session is looked at or changed: has the head of the response tell of it, and wait for its changes,
   * where the adapter does not see to it. False if the head is out already.
   */
  hookHead(session: HeadSource): boolean;
}

/** A socket, as far as it is of interest: plain, TLS, of HTTP/2, or made up by a test. */
interface SocketLike {
  readonly remoteAddress?: unknown;
  readonly encrypted?: unknown;
}

/** Of a request of node:http. Most of it is asked for by few requests, and looked at only then. */
class NodeExchange implements Exchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse | undefined;
  /** Undefined before it is needed: most of what a site answers is not about the session. */
  #hook: HeadHook | undefined;

  constructor(request: IncomingMessage, response: ServerResponse | undefined) {
    this.#request = request;
    this.#response = response;
  }

  hookHead(session: HeadSource): boolean {
    if (this.#response === undefined) return true;
    this.#hook ??= new HeadHook(this.#response, session);
    return this.#hook.install();
  }

  get method(): string {
    return this.#request.method ?? 'GET';
  }

  header(name: string): string | undefined {
    return textOf(this.#request.headers?.[name], name === 'cookie' ? '; ' : ', ');
  }

  get peer(): string | undefined {
    return peerOf(this.#request.socket);
  }

  get encrypted(): boolean {
    return isEncrypted(this.#request.socket);
  }

  get takesCookie(): boolean {
    return this.#response !== undefined;
  }
}

/**
 * `response`: undefined where there is none. An upgrade has none either, whatever a framework has made up for its
 * handlers: the 101 is written by whoever takes the socket over.
 */
export function exchangeOf(request: IncomingMessage, response?: ServerResponse): Exchange {
  return new NodeExchange(request, isUpgrade(request) ? undefined : response);
}

/**
 * Whether the connection is handed over: by Node's own word, or by the header where a request was made without Node's
 * parser.
 */
export function isUpgrade({ upgrade, headers }: { readonly upgrade?: unknown; readonly headers?: object }): boolean {
  return typeof upgrade === 'boolean' ? upgrade : Reflect.get(headers ?? {}, 'upgrade') !== undefined;
}

/** Of a Web Request. `socket` is what it came by, where there is one. */
export function webExchangeOf(request: Request, socket: SocketLike | undefined, takesCookie: boolean): Exchange {
  return {
    takesCookie,
    method: request.method,
    header: (name) => request.headers.get(name) ?? undefined,
    peer: peerOf(socket),
    encrypted: isEncrypted(socket) || (socket === undefined && request.url.startsWith('https:')),
    hookHead: () => true,
  };
}

function peerOf(socket: SocketLike | undefined): string | undefined {
  const address = socket?.remoteAddress;
  return typeof address === 'string' ? address : undefined;
}

function isEncrypted(socket: SocketLike | undefined): boolean {
  return socket?.encrypted === true;
}

/** Frameworks, gateways and tests may hand on what Node never would. */
function textOf(value: unknown, separator: string): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  return value.filter((each) => typeof each === 'string').join(separator);
}

/** The client as a new session remembers it. */
export function clientOf(exchange: Exchange, options: ResolvedHttpOptions): { ip?: string; userAgent?: string } {
  const ip = clientAddress(exchange.peer, exchange.header('x-forwarded-for'), options.trust);
  const userAgent = exchange.header('user-agent');
  return { ...(ip === undefined ? {} : { ip }), ...(userAgent === undefined ? {} : { userAgent }) };
}

/** Whether the browser's own connection is over TLS, as far as that can be known. */
export function isSecure(exchange: Exchange, options: ResolvedHttpOptions): boolean {
  if (exchange.encrypted) return true;
  if (!isProxy(exchange.peer, options.trust)) return false;
  return exchange.header('x-forwarded-proto')?.split(',', 1)[0]?.trim().toLowerCase() === 'https';
}
