/**
 * The moment in which the head of a node:http response goes out: held back until the changes of the session are done, then told what to say of it.
 * Runs in every thread of the host.
 *
 * Every head comes by `writeHead`, that of a response which never calls it included. Where changes are under way, what is called from then on is kept, and done in its
 * order afterwards. Meanwhile the response looks as if its head were out, so that no error handler begins a second answer. Informational responses (1xx) are no heads, and pass.
 */

import { ServerResponse } from 'node:http';
import { disguise, disguiseEnd, headIsOut, reveal } from './disguise.js';
import { Guards } from './guards.js';
import { changeHead, type Head } from './head.js';
import type { SessionOfRequest } from './request-session.js';
import { setHeaders } from './write-head.js';

/** What sends the head, or something after it. */
const sendings = ['writeHead', 'write', 'end', 'flushHeaders'] as const;
type Sending = (typeof sendings)[number];
type Methods = Readonly<Record<Sending, (...args: never[]) => unknown>>;

const guards = new Guards<HeadGuard>();

/** A prototype whose methods ask for a guard, and what stood there before. */
interface Hooked {
  readonly prototype: ServerResponse;
  readonly originals: Methods;
}
const hooked = new WeakMap<object, Hooked>();
/** The one that was met last. */
let latest: Hooked | undefined;

/** False for a response that surely has no guard, or has ended. */
export function mayBeGuarded(response: ServerResponse): boolean {
  return guards.of(response) !== undefined || Object.hasOwn(response, 'end');
}

/** Holds the head of a response back until the session's changes are done, and then tells what is to be said of it. */
export function guardHead(response: ServerResponse, session: SessionOfRequest): void {
  const shared = isPatched(response) ? undefined : hookedOf(response);
  if (shared === undefined) {
    const guard = new HeadGuard(response, session, methodsOf(response));
    for (const name of sendings) response[name] = (...args: unknown[]) => guard.called(name, args) as never;
  } else {
    const originals = guards.of(response)?.asMethods() ?? shared.originals;
    guards.set(new HeadGuard(response, session, originals));
  }
}

/** Whether another middleware has given it methods of its own, which may hold those that stood in the prototype before it was hooked. */
function isPatched(response: ServerResponse): boolean {
  return (
    Object.hasOwn(response, 'end') ||
    Object.hasOwn(response, 'writeHead') ||
    Object.hasOwn(response, 'write') ||
    Object.hasOwn(response, 'flushHeaders')
  );
}

/** The hooked prototype of a response; undefined where it shares none with others but what its class has. */
function hookedOf(response: ServerResponse): Hooked | undefined {
  if (latest !== undefined && isAbove.call(latest.prototype, response)) return latest;
  const shared = sharedPrototypeOf(Object.getPrototypeOf(response));
  if (shared === undefined) return undefined;
  latest = hooked.get(shared) ?? hook(shared);
  return latest;
}

const isAbove = Object.prototype.isPrototypeOf;

/**
 * What the responses of a framework have in common, where it has given them another prototype after they were made, as Express does. From then on a response shares its shape
 * with no other object: each property it is given costs a copy of that shape, and each that is read a search. So the hooks are put into that prototype, the topmost one, as those
 * of mounted applications come and go; and as little as can be is asked of such a response. Undefined for one that is as its class has made it.
 */
function sharedPrototypeOf(prototype: object): ServerResponse | undefined {
  if (Object.hasOwn(prototype, 'constructor')) return undefined;
  const above = Object.getPrototypeOf(prototype);
  if (above === null) return undefined;
  if (above !== ServerResponse.prototype) return sharedPrototypeOf(above);
  return Object.isExtensible(prototype) ? (prototype as ServerResponse) : undefined;
}

/** Has every response with this prototype ask for its guard; one that has none goes on as before. */
function hook(prototype: ServerResponse): Hooked {
  const originals = methodsOf(prototype);
  for (const name of sendings) {
    const original = originals[name];
    const value = function (this: ServerResponse, ...args: never[]): unknown {
      const guard = guards.of(this);
      return guard === undefined ? Reflect.apply(original, this, args) : guard.called(name, args);
    };
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
  }
  const made = { prototype, originals };
  hooked.set(prototype, made);
  return made;
}

function methodsOf({ writeHead, write, end, flushHeaders }: ServerResponse): Methods {
  return { writeHead, write, end, flushHeaders };
}

class HeadGuard {
  readonly response: ServerResponse;
  readonly #session: SessionOfRequest;
  /** As they were before: those of Node, or of a middleware that came before this one. */
  readonly #originals: Methods;
  /** What was called while changes were under way; undefined where none are waited for. */
  #kept: (() => unknown)[] | undefined;
  /** How deep within the originals, which call one another. */
  #depth = 0;
  #isTold = false;
  #cookieTold: string | undefined;

  constructor(response: ServerResponse, session: SessionOfRequest, originals: Methods) {
    this.response = response;
    this.#session = session;
    this.#originals = originals;
  }

  /** For a guard that comes before this one. */
  asMethods(): Methods {
    const methods = sendings.map((name) => [name, (...args: unknown[]) => this.called(name, args)]);
    return Object.fromEntries(methods) as Methods;
  }

  called(name: Sending, args: unknown[]): unknown {
    const response = this.response;
    if (this.#kept === undefined) {
      if (this.#depth > 0 || this.#session.isSettled || response.headersSent || response.destroyed)
        return this.#call(name, args);
      this.#hold();
    } else if (name === 'writeHead') {
      throw headIsOut('write');
    }
    this.#kept?.push(() => this.#call(name, args));
    if (name === 'end') disguiseEnd(response);
    // Whoever writes is asked to wait, and hears 'drain' in time.
    return name === 'write' ? false : response;
  }

  #call(name: Sending, args: unknown[]): unknown {
    const response = this.response;
    this.#depth++;
    try {
      const returned = Reflect.apply(this.#originals[name], response, this.#withHead(name, args) as never[]);
      if (name === 'end') guards.delete(response);
      return returned;
    } finally {
      this.#depth--;
    }
  }

  #withHead(name: Sending, args: unknown[]): unknown[] {
    if (name !== 'writeHead' || (this.#isTold && this.response.headersSent)) return args;
    this.#isTold = true;
    return this.#headTold(args);
  }

  /** Adds what is to be said of the session, and returns what `writeHead` is left with. */
  #headTold(args: unknown[]): unknown[] {
    const changes = this.#session.headChanges();
    const isSilent = changes.setCookie === undefined && changes.clearSiteData === undefined && !changes.isRead;
    if (isSilent && this.#cookieTold === undefined) return args;
    const rest = setHeaders(this.response, args);
    const head = new NodeHead(this.response);
    // A head that was refused, for a bad status say, is told anew.
    if (this.#cookieTold !== undefined) head.remove('Set-Cookie', this.#cookieTold);
    this.#cookieTold = changes.setCookie;
    changeHead(head, changes);
    return rest;
  }

  #hold(): void {
    const response = this.response;
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
    const response = this.response;
    const calls = this.#kept ?? [];
    this.#kept = undefined;
    reveal(response);
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
