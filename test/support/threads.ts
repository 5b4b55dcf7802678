/** Threads that do as a test tells them, and what tests of threads share. */

import { once } from 'node:events';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import type { SessionManager } from '../../dist/src/index.js';
import { HEADER, type Invitation } from './internals.js';

export const fixture = (name: string): URL => new URL(`../fixtures/${name}.js`, import.meta.url);

interface Answer {
  readonly number?: number;
  readonly value?: unknown;
  readonly error?: { readonly message: string };
  readonly aborted?: unknown;
}

/** A thread with `does-as-told.js` in it. */
export class Thread {
  readonly worker: Worker;
  readonly exited: Promise<unknown>;
  readonly #asked = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  #last = 0;

  constructor(options: WorkerOptions = {}) {
    this.worker = new Worker(fixture('does-as-told'), { stderr: true, ...options });
    this.worker.on('message', ({ number, value, error }: Answer) => {
      const asked = this.#asked.get(number ?? 0);
      if (error === undefined) asked?.resolve(value);
      else asked?.reject(Object.assign(new Error(error.message), error));
    });
    this.worker.on('error', () => {});
    this.exited = once(this.worker, 'exit').catch(() => {});
    this.worker.on('exit', () => {
      for (const { reject } of this.#asked.values()) reject(new Error('the thread has ended'));
    });
  }

  ask<T = unknown>(what: string, ...args: unknown[]): Promise<T> {
    const number = ++this.#last;
    return new Promise<T>((resolve, reject) => {
      this.#asked.set(number, { resolve: resolve as (value: unknown) => void, reject });
      this.worker.postMessage({ number, what, args });
    }).finally(() => this.#asked.delete(number));
  }

  /** The reason with which a watched session's signal aborts next. */
  aborted(): Promise<unknown> {
    return new Promise((resolve) => {
      const hear = ({ aborted }: Answer) => {
        if (aborted === undefined) return;
        this.worker.off('message', hear);
        resolve(aborted);
      };
      this.worker.on('message', hear);
    });
  }

  /** What this thread hears of the next restart. */
  restarted(): Promise<{ cause: string; restarts: number; recovered: number }> {
    return new Promise((resolve) => {
      const hear = ({ restarted }: { restarted?: never }) => {
        if (restarted === undefined) return;
        this.worker.off('message', hear);
        resolve(restarted);
      };
      this.worker.on('message', hear);
    });
  }

  async end(): Promise<void> {
    await this.worker.terminate();
    await this.exited;
  }
}

/** Waits for the next ending of a session, as this thread hears it. */
export function nextEnding(manager: SessionManager): Promise<{ id: string; reason: string }> {
  return new Promise((resolve) => {
    const stop = manager.on('ended', ({ session, reason }) => {
      stop();
      resolve({ id: session.id, reason });
    });
  });
}

/** The number of the current manager's thread. */
export function managerThread(manager: SessionManager): number {
  const { memory, threadId } = manager.createTicket() as unknown as Invitation;
  return new Int32Array(memory.header)[HEADER.threadId] || threadId;
}

/** How each call ended: 'done', or the code and outcome of its refusal. */
export const outcomesOf = (calls: readonly Promise<unknown>[]): Promise<string[]> =>
  Promise.all(
    calls.map((call) =>
      call.then(
        () => 'done',
        ({ code, outcome }) => `${code} ${outcome}`,
      ),
    ),
  );
