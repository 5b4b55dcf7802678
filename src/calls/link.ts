/**
 * One port to one manager, spoken to through Comlink. A thread that outlives its manager closes its link and opens
 * another to the successor. Used in every thread of the host; the only file on the callers' side that imports Comlink.
 */

import { types } from 'node:util';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import * as Comlink from 'comlink';
import { CONNECTION, type ManagerApi } from '../protocol/calls.js';
import type { SessionErrorCode } from '../protocol/errors.js';
import type { Hello, Welcome } from '../protocol/greeting.js';
import { reserveJournal } from '../protocol/journal.js';
import { LAYOUT_VERSION } from '../protocol/layout.js';

/** The memory that one connection shares with its managers, one after the other: CONNECTION words and a journal. */
export interface ConnectionMemory {
  readonly words: SharedArrayBuffer;
  readonly journal: SharedArrayBuffer;
}

export function reserveConnectionMemory(): ConnectionMemory {
  return { words: new SharedArrayBuffer(CONNECTION.words * 4), journal: reserveJournal() };
}

/** What a manager has to know of a thread: the events that it listens to, as bits, and the sessions that it watches. */
export type LinkState = Pick<Hello, 'events' | 'watched'>;

export interface ConnectionListener {
  /** Notices have arrived. Returns how many events were among them. */
  notices(bytes: Uint8Array): number;
  /**
   * The port has closed. Returns the code with which calls are refused from now on; undefined if a successor of the
   * manager is awaited.
   */
  lost(): SessionErrorCode | undefined;
  state(): LinkState;
  /** Watched sessions ended while no manager could report it. Each is slot, generation, index in REASONS or -1. */
  sessionsEnded(sessions: Int32Array): void;
}

export class Link {
  readonly #port: MessagePort;
  readonly #remote: Comlink.Remote<ManagerApi>;
  readonly #greet: Comlink.Remote<ManagerApi>['greet'];
  readonly #received: (message: unknown) => void;
  /** Does a batch of calls. Stored, as every access to a property of a Comlink proxy makes another proxy. */
  readonly execute: (batch: ArrayBuffer) => Promise<ArrayBuffer>;

  /**
   * `received` gets every message, including Comlink's replies. `closed` is called when the other end has closed or its
   * thread has ended.
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
   * Checks that both sides are of the same build, and hands over the connection's memory and state. Never settles if
   * the manager dies first. Rejects if the answer is no welcome.
   */
  async greet(memory: ConnectionMemory, state: LinkState): Promise<Welcome> {
    const welcome: unknown = await this.#greet({ layoutVersion: LAYOUT_VERSION, ...memory, ...state });
    if (!isWelcome(welcome)) throw new TypeError('the other end of the port is no session manager');
    return welcome;
  }

  /** Keeps the thread alive while the port is open. A new link does not. */
  ref(): void {
    this.#port.ref();
  }

  unref(): void {
    this.#port.unref();
  }

  /**
   * Reads the messages that have arrived but were not delivered yet. The promises that they settle run their callbacks
   * afterwards.
   */
  drain(): void {
    const port = this.#port;
    for (let queued = receiveMessageOnPort(port); queued !== undefined; queued = receiveMessageOnPort(port)) {
      this.#received(queued.message);
      port.dispatchEvent(new MessageEvent('message', { data: queued.message }));
    }
  }

  /**
   * Comlink registers each of its proxies with a FinalizationRegistry, which keeps proxies and port alive through minor
   * garbage collections; so they are released here. The port is closed first, so that releasing sends nothing.
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
