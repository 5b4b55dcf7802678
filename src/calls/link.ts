/**
 * The way to one manager: a port, greeted and spoken to by Comlink. A thread that outlives its manager leaves one for
 * the next. Used in every thread of the host; the only file on the callers' side that knows Comlink.
 */

import { types } from 'node:util';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import * as Comlink from 'comlink';
import { CONNECTION, type ManagerApi } from '../protocol/calls.js';
import type { SessionErrorCode } from '../protocol/errors.js';
import type { Hello, Welcome } from '../protocol/greeting.js';
import { reserveJournal } from '../protocol/journal.js';
import { LAYOUT_VERSION } from '../protocol/layout.js';

/** The memory that one connection shares with its managers, one after the other: CONNECTION words, and its journal. */
export interface ConnectionMemory {
  readonly words: SharedArrayBuffer;
  readonly journal: SharedArrayBuffer;
}

export function reserveConnectionMemory(): ConnectionMemory {
  return { words: new SharedArrayBuffer(CONNECTION.words * 4), journal: reserveJournal() };
}

/** What a successor has to know of a thread: the events it listens to, as bits, and the sessions it watches. */
export type LinkState = Pick<Hello, 'events' | 'watched'>;

export interface ConnectionListener {
  /** Notices arrived; returns how many events were among them. */
  notices(bytes: Uint8Array): number;
  /** The port has closed: why calls are refused from now on; undefined where a successor of the manager is awaited. */
  lost(): SessionErrorCode | undefined;
  state(): LinkState;
  /**
   * Sessions that this thread watched and that ended while no manager could tell: slot, generation, place in REASONS or
   * -1.
   */
  sessionsEnded(sessions: Int32Array): void;
}

export class Link {
  readonly #port: MessagePort;
  readonly #remote: Comlink.Remote<ManagerApi>;
  readonly #greet: Comlink.Remote<ManagerApi>['greet'];
  readonly #received: (message: unknown) => void;
  /** Does a batch of calls. Kept, as each access to a Comlink proxy makes another one. */
  readonly execute: (batch: ArrayBuffer) => Promise<ArrayBuffer>;

  /**
   * `received` gets every message, the replies that are Comlink's among them; `closed` is called when the other end has
   * closed, or its thread died.
   */
  constructor(port: MessagePort, received: (message: unknown) => void, closed: (link: Link) => void) {
    this.#port = port;
    this.#received = received;
    port.on('message', received);
    port.on('close', () => closed(this));
    this.#remote = Comlink.wrap<ManagerApi>(port as unknown as Comlink.Endpoint);
    this.#greet = this.#remote.greet;
    this.execute = this.#remote.execute as unknown as (batch: ArrayBuffer) => Promise<ArrayBuffer>;
    port.unref();
  }

  /**
   * Agrees on the build, and tells what the manager has to know. Never settles if the manager dies first; rejects where
   * the answer is no welcome.
   */
  async greet(memory: ConnectionMemory, state: LinkState): Promise<Welcome> {
    const welcome: unknown = await this.#greet({ layoutVersion: LAYOUT_VERSION, ...memory, ...state });
    if (!isWelcome(welcome)) throw new TypeError('the other end of the port is no session manager');
    return welcome;
  }

  /** The thread stays alive while the port is open. A link begins unreferenced. */
  ref(): void {
    this.#port.ref();
  }

  unref(): void {
    this.#port.unref();
  }

  /**
   * Reads what has arrived and was not read yet. The promises that it settles call what they call when this is over.
   */
  drain(): void {
    const port = this.#port;
    for (let queued = receiveMessageOnPort(port); queued !== undefined; queued = receiveMessageOnPort(port)) {
      this.#received(queued.message);
      port.dispatchEvent(new MessageEvent('message', { data: queued.message }));
    }
  }

  /**
   * Comlink registers each of its proxies, with the port, for when it is collected; the collections of young objects
   * take that for a reason to keep both. So they are released. Once the port is closed nothing is sent for it.
   */
  close(): void {
    this.#port.removeAllListeners('message');
    this.#port.removeAllListeners('close');
    this.#port.close();
    for (const proxy of [this.#greet, this.execute, this.#remote]) release(proxy);
  }
}

function release(proxy: object): void {
  (proxy as Comlink.ProxyMethods)[Comlink.releaseProxy]();
}

function isWelcome(value: unknown): value is Welcome {
  if (typeof value !== 'object' || value === null) return false;
  const { accepted, settings, over, layoutVersion } = value as Record<string, unknown>;
  if (accepted === false) return typeof layoutVersion === 'number';
  return accepted === true && typeof settings === 'object' && settings !== null && types.isInt32Array(over);
}
