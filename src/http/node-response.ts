/**
 * The moment in which the head of a node:http response goes out: held back until the changes of the session are done, then told what to say of it.
 * Runs in every thread of the host.
 *
 * Every head comes by `writeHead`, that of a response which never calls it included. Where changes are under way, what is called from then on is kept, and done in its
 * order afterwards. Meanwhile the response looks as if its head were out, so that no error handler begins a second answer. Informational responses (1xx) are no heads, and pass.
 */

import { ServerResponse } from 'node:http';
import { types } from 'node:util';
import { disguise, disguiseEnd, headIsOut, reveal } from './disguise.js';
import { changeHead, type Head, type TellsOfSession } from './head.js';
import { setHeaders } from './write-head.js';

/** What sends the head, or something after it. */
type Sending = 'writeHead' | 'write' | 'end' | 'flushHeaders';

/** By this Node asks for the head of what it is about to write. It has no use for a head that is held back then. */
interface WithImplicitHead {
  _implicitHeader?: () => void;
}

export class HeadGuard {
  readonly #response: ServerResponse;
  readonly #session: TellsOfSession;
  /** As they were before: those of Node, or of a middleware that came before. Those that were not replaced are missing. */
  readonly #originals: Partial<Record<Sending, (...args: never[]) => unknown>> = {};
  /** What was called while changes were under way; undefined where none are waited for. */
  #kept: (() => unknown)[] | undefined;
  /** How deep within the originals, which call one another. */
  #depth = 0;
  #isTold = false;
  #cookieTold: string | undefined;

  constructor(response: ServerResponse, session: TellsOfSession) {
    this.#response = response;
    this.#session = session;
  }

  /** Has the head tell of the session. False if it is out already. */
  tell(): boolean {
    if (this.#originals.writeHead !== undefined) return true;
    if (this.#response.headersSent) return false;
    this.#replace('writeHead');
    return true;
  }

  /** As `tell`, and has the response wait for the session's changes. */
  hold(): boolean {
    if (!this.tell()) return false;
    if (this.#originals.end !== undefined) return true;
    for (const name of ['write', 'end', 'flushHeaders'] as const) this.#replace(name);
    this.#passImplicitHead(this.#response as WithImplicitHead);
    return true;
  }

  /** What is written past the replaced methods, by a middleware that keeps an answer back with methods that it took before, is written now: with its head, which tells what there is to tell. */
  #passImplicitHead(response: WithImplicitHead): void {
    const { _implicitHeader: original } = response;
    if (original === undefined) return;
    response._implicitHeader = () => {
      reveal(this.#response);
      this.#within(() => Reflect.apply(original, response, []));
      if (this.#kept !== undefined) disguise(this.#response);
    };
  }

  #replace(name: Sending): void {
    this.#originals[name] = this.#response[name];
    this.#response[name] = (...args: unknown[]) => this.#called(name, args) as never;
  }

  #called(name: Sending, args: unknown[]): unknown {
    const response = this.#response;
    if (this.#depth > 0) return this.#call(name, args);
    if (this.#kept === undefined) {
      if (this.#session.isSettled || response.headersSent || response.destroyed) return this.#call(name, args);
      this.#wait();
    } else if (name === 'writeHead') {
      throw headIsOut('write');
    }
    this.#kept?.push(() => this.#call(name, args));
    if (name === 'end') disguiseEnd(response);
    // Whoever writes is asked to wait, and hears 'drain' in time.
    return name === 'write' ? false : response;
  }

  #call(name: Sending, args: unknown[]): unknown {
    const original = this.#originals[name] as (...args: unknown[]) => unknown;
    return this.#within(() => Reflect.apply(original, this.#response, name === 'writeHead' ? this.#told(args) : args));
  }

  #within<T>(run: () => T): T {
    this.#depth++;
    try {
      return run();
    } finally {
      this.#depth--;
    }
  }

  /** Adds to the head what is to be said of the session, and returns what `writeHead` is left with. */
  #told(args: unknown[]): unknown[] {
    const response = this.#response;
    if (this.#isTold && response.headersSent) return args;
    this.#isTold = true;
    const changes = this.#session.headChanges();
    const isSilent = changes.setCookie === undefined && changes.clearSiteData === undefined && !changes.isRead;
    if (isSilent && this.#cookieTold === undefined) return args;
    const rest = setHeaders(response, args);
    const head = new NodeHead(response);
    // A head that was refused, for a bad status say, is told anew.
    if (this.#cookieTold !== undefined) head.remove('Set-Cookie', this.#cookieTold);
    this.#cookieTold = changes.setCookie;
    changeHead(head, changes);
    return rest;
  }

  #wait(): void {
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
    disguise(response);
    void this.#session.settled().then(() => this.#release());
  }

  #release(): void {
    const response = this.#response;
    const calls = this.#kept ?? [];
    this.#kept = undefined;
    reveal(response);
    try {
      this.#within(() => {
        for (const call of calls) call();
      });
    } catch (error) {
      // Whoever called has gone on: there is nobody left to throw it at.
      response.destroy(types.isNativeError(error) ? error : undefined);
    }
    if (!response.destroyed && !response.writableEnded && !response.writableNeedDrain) response.emit('drain');
  }
}

/** The headers of a response of node:http, which may be set as lists and as numbers. */
class NodeHead implements Head {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  #valuesOf(name: string): string[] | undefined {
    const value = this.#response.getHeader(name);
    return value === undefined ? undefined : [value].flat().map(String);
  }

  get(name: string): string | undefined {
    return this.#valuesOf(name)?.join(', ');
  }

  set(name: string, value: string): void {
    this.#response.setHeader(name, value);
  }

  append(name: string, value: string): void {
    const before = this.#valuesOf(name);
    this.#response.setHeader(name, before === undefined ? value : [...before, value]);
  }

  remove(name: string, value: string): void {
    const values = this.#valuesOf(name);
    if (values?.includes(value)) this.#response.setHeader(name, values.toSpliced(values.indexOf(value), 1));
  }
}
