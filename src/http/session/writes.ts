/** The pending changes of one request, which the response waits for. Runs in every thread of the host. */

import { isEnded, withStatus } from '../options/refusal.js';

/** A promise that knows whether its outcome is awaited. */
class TrackedPromise<T> extends Promise<T> {
  isAwaited = false;

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // biome-ignore lint/suspicious/noThenProperty: `await` and `catch` call it, and are noticed by that
  override then<A = T, B = never>(
    fulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.isAwaited = true;
    return super.then(fulfilled, rejected);
  }
}

export class Writes {
  readonly #pending = new Set<Promise<void>>();
  readonly #onLost: (error: unknown) => void;

  constructor(onLost: (error: unknown) => void) {
    this.#onLost = onLost;
  }

  /**
   * Runs a change, which is pending until it settles. If it fails and nobody awaits it, the error is reported instead
   * of ending the process as an unhandled rejection. ERR_SESSION_ENDED is not reported: the client has logged out.
   */
  run<T>(change: () => Promise<T>): Promise<T> {
    const tracked = new TrackedPromise<T>((resolve, reject) => {
      change().then(resolve, (error: unknown) => reject(withStatus(error)));
    });
    const settled: Promise<void> = Promise.prototype.then
      .call(tracked, undefined, (error: unknown) => {
        if (!tracked.isAwaited && !isEnded(error)) this.#reportLost(error);
      })
      .then(() => {
        this.#pending.delete(settled);
      });
    this.#pending.add(settled);
    return tracked;
  }

  get isSettled(): boolean {
    return this.#pending.size === 0;
  }

  /** Resolves when no change is pending, not even one that was made in the meantime. */
  async settled(): Promise<void> {
    while (!this.isSettled) await Promise.all(this.#pending);
  }

  #reportLost(error: unknown): void {
    const onLost = this.#onLost;
    callListener(() => onLost(error));
  }
}

/** Calls a listener. What it throws is reported as an uncaught exception, and does not stop the caller. */
export function callListener(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}
