/** What the adapters have to know of a request, in one form for all frameworks. Runs in every thread of the host. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { clientAddress, isProxy } from '../options/address.js';
import type { ResolvedHttpOptions } from '../options/options.js';
import type { HeadSource } from '../response/head.js';
import { HeadHook } from '../response/node-response.js';

export interface Exchange {
  readonly method: string;
  /** A header by its lower-case name; undefined if it is absent or no text. */
  header(name: string): string | undefined;
  /** The address of the other end of the connection; undefined if it is not known. */
  readonly peer: string | undefined;
  /** Whether the connection is over TLS. */
  readonly encrypted: boolean;
  /**
   * Whether the answer can carry a cookie. If not, no session is created and no token is changed, as the client would
   * not learn of it.
   */
  readonly takesCookie: boolean;
  /**
   * Called before the session is read or changed: makes the head of the response wait for the session's changes and
   * carry its headers, unless the adapter does so itself. False if the head has been sent.
   */
  hookHead(session: HeadSource): boolean;
}

/** The properties of a socket that are used here: of a plain, TLS or HTTP/2 one, or of a test's. */
interface SocketLike {
  readonly remoteAddress?: unknown;
  readonly encrypted?: unknown;
}

/** For node:http. Properties are read when needed, as few requests need most of them. */
class NodeExchange implements Exchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse | undefined;
  /** Undefined until it is needed: most requests do not use the session. */
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
 * The exchange of a Node request. An upgrade has no response, even if the framework has made one for its handlers:
 * whoever takes over the socket writes the 101.
 */
export function exchangeOf(request: IncomingMessage, response?: ServerResponse): Exchange {
  return new NodeExchange(request, isUpgrade(request) ? undefined : response);
}

/**
 * Whether the connection is handed over: as Node says, or by the header if the request was not made by Node's parser.
 */
export function isUpgrade({ upgrade, headers }: { readonly upgrade?: unknown; readonly headers?: object }): boolean {
  return typeof upgrade === 'boolean' ? upgrade : Reflect.get(headers ?? {}, 'upgrade') !== undefined;
}

/** The exchange of a web-standard request. `socket` is its connection, if there is one. */
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

/** Frameworks, gateways and tests may pass values that Node never would. */
function textOf(value: unknown, separator: string): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  return value.filter((each) => typeof each === 'string').join(separator);
}

/** The client, as a new session stores it. */
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
