/**
 * The moment in which the head of a node:http response goes out: held back until the changes of the session are done, then told what to say of it.
 * Runs in every thread of the host.
 *
 * Every head comes by `writeHead`, that of a response which never calls it included. Where changes are under way, what is called from then on is kept, and done in its
 * order afterwards. Meanwhile the response looks as if its head were out, so that no error handler begins a second answer. Informational responses (1xx) are no heads, and pass.
 */

import { ServerResponse } from 'node:http';
import { changeHead, type Head } from './head.js';
import type { SessionOfRequest } from './request-session.js';
import { setHeaders } from './write-head.js';

/** What sends the head, or something after it. */
type Sending = 'writeHead' | 'write' | 'end' | 'flushHeaders';

/** What is refused once the head is out. */
const changing = ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader'] as const;

export class HeadGuard {
  readonly #response: ServerResponse;
  readonly #session: SessionOfRequest;
  /** As they were before: those of Node, or of a middleware that came before this one. */
  readonly #originals: Readonly<Record<Sending, unknown>>;
  /** What was called while changes were under way; undefined where none are waited for. */
  #kept: (() => unknown)[] | undefined;
  /** What the response is made to look like meanwhile, and what was there before. */
  #masked: Map<string, PropertyDescriptor | undefined> | undefined;
  /** How deep within the originals, which call one another. */
  #depth = 0;
  #cookieTold: string | undefined;

  constructor(response: ServerResponse, session: SessionOfRequest) {
    this.#response = response;
    this.#session = session;
    const { writeHead, write, end, flushHeaders } = response;
    this.#originals = { writeHead, write, end, flushHeaders };
    // One by one, and not in a loop: this is done for every request, and half of what a session costs it.
    response.writeHead = (...args: unknown[]) => this.#called('writeHead', args) as never;
    response.write = (...args: unknown[]) => this.#called('write', args) as never;
    response.end = (...args: unknown[]) => this.#called('end', args) as never;
    response.flushHeaders = (...args: unknown[]) => this.#called('flushHeaders', args) as never;
  }

  #called(name: Sending, args: unknown[]): unknown {
    const response = this.#response;
    if (this.#kept === undefined) {
      if (this.#depth > 0 || this.#session.isSettled || response.headersSent || response.destroyed)
        return this.#call(name, args);
      this.#hold();
    } else if (name === 'writeHead') {
      throw headIsOut('write');
    }
    this.#kept?.push(() => this.#call(name, args));
    if (name === 'end') for (const flag of ['writableEnded', 'finished']) this.#mask(flag, { get: () => true });
    // Whoever writes is asked to wait, and hears 'drain' in time.
    return name === 'write' ? false : response;
  }

  #call(name: Sending, args: unknown[]): unknown {
    this.#depth++;
    try {
      const rest = name === 'writeHead' && !this.#response.headersSent ? this.#headTold(args) : args;
      return Reflect.apply(this.#originals[name] as () => unknown, this.#response, rest);
    } finally {
      this.#depth--;
    }
  }

  /** Adds what is to be said of the session, and returns what `writeHead` is left with. */
  #headTold(args: unknown[]): unknown[] {
    const changes = this.#session.headChanges();
    const isSilent = changes.setCookie === undefined && changes.clearSiteData === undefined && !changes.isRead;
    if (isSilent && this.#cookieTold === undefined) return args;
    const rest = setHeaders(this.#response, args);
    const head = headOf(this.#response);
    // A head that was refused, for a bad status say, is told anew.
    if (this.#cookieTold !== undefined) head.remove('Set-Cookie', this.#cookieTold);
    this.#cookieTold = changes.setCookie;
    changeHead(head, changes);
    return rest;
  }

  #hold(): void {
    const response = this.#response;
    const { statusCode } = response;
    // HTTP/2 has none, and warns of whoever asks.
    const hasMessage = response instanceof ServerResponse;
    const statusMessage = hasMessage ? response.statusMessage : '';
    this.#kept = [
      () => {
        // What was assigned since then came after the head.
        response.statusCode = statusCode;
        if (hasMessage) response.statusMessage = statusMessage;
      },
    ];
    this.#mask('headersSent', { get: () => true });
    for (const name of changing) {
      const value = () => {
        throw headIsOut(name === 'removeHeader' ? 'remove' : 'set');
      };
      if (typeof response[name] === 'function') this.#mask(name, { value, writable: true });
    }
    void this.#session.settled().then(() => this.#release());
  }

  #mask(name: string, as: PropertyDescriptor): void {
    this.#masked ??= new Map();
    if (this.#masked.has(name)) return;
    this.#masked.set(name, Object.getOwnPropertyDescriptor(this.#response, name));
    Object.defineProperty(this.#response, name, { ...as, configurable: true });
  }

  #release(): void {
    const response = this.#response;
    const calls = this.#kept ?? [];
    this.#kept = undefined;
    for (const [name, descriptor] of this.#masked ?? []) {
      if (descriptor === undefined) Reflect.deleteProperty(response, name);
      else Object.defineProperty(response, name, descriptor);
    }
    this.#masked = undefined;
    this.#depth++;
    try {
      for (const call of calls) call();
    } catch (error) {
      // Whoever called has gone on: there is nobody left to throw it at.
      response.destroy(error instanceof Error ? error : undefined);
    } finally {
      this.#depth--;
    }
    if (!response.destroyed && !response.writableEnded && !response.writableNeedDrain) response.emit('drain');
  }
}

function headOf(response: ServerResponse): Head & { remove(name: string, value: string): void } {
  const valuesOf = (name: string) => {
    const value = response.getHeader(name);
    return value === undefined ? undefined : [value].flat().map(String);
  };
  return {
    get: (name) => valuesOf(name)?.join(', '),
    set: (name, value) => void response.setHeader(name, value),
    append(name, value) {
      const before = valuesOf(name);
      response.setHeader(name, before === undefined ? value : [...before, value]);
    },
    remove(name, value) {
      const values = valuesOf(name);
      if (values?.includes(value)) response.setHeader(name, values.toSpliced(values.indexOf(value), 1));
    },
  };
}

/** As Node's own. */
function headIsOut(what: string): Error {
  const text = `Cannot ${what} headers after they are sent to the client`;
  return Object.assign(new Error(text), { code: 'ERR_HTTP_HEADERS_SENT' });
}
