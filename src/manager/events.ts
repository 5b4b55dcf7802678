/** The events of all threads, as the listeners of this thread hear them. Runs in every thread of the host. */

import type { Refused } from '../calls/refused.js';
import { ByteReader, MalformedBytes } from '../protocol/bytes.js';
import { expected } from '../protocol/errors.js';
import { EVENT_BITS, EVENT_NAMES, NOTICE, REASONS, readInfo, type SessionEventName } from '../protocol/notices.js';
import { fromUtf8, toSessionInfo } from '../session/info.js';
import type { EndReason, SessionEvents } from '../types/types.js';
import { Retry } from './watched-sessions.js';

/** The head of a notice: u8 kind, u32 bytes. */
const NOTICE_HEADER = 5;

type Listener = (event: never) => void;
const NAMES: readonly string[] = [...EVENT_NAMES, 'restarted', 'gap'] satisfies (keyof SessionEvents)[];

export class Events {
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #subscribe: (events: number) => Promise<Refused | undefined>;
  readonly #sessionEnded: (slot: number, generation: number, reason: EndReason) => void;
  /** The events that this thread listens to, as bits. */
  #wanted = 0;
  /** The events that the manager was told, as far as its replies say. Undefined if the outcome of a call is unknown. */
  #confirmed: number | undefined = 0;
  /** The number of the call that said so. The replies to two batches may be read out of order. */
  #confirmedBy = 0;
  #calls = 0;
  #pending = 0;
  readonly #retry = new Retry(() => {
    if (this.#confirmed !== this.#wanted) this.#send();
  });

  /**
   * `subscribe` tells the manager what this thread listens to, as bits. `sessionEnded` is called for each watched
   * session that has ended.
   */
  constructor(
    subscribe: (events: number) => Promise<Refused | undefined>,
    sessionEnded: (slot: number, generation: number, reason: EndReason) => void,
  ) {
    this.#subscribe = subscribe;
    this.#sessionEnded = sessionEnded;
  }

  on(event: keyof SessionEvents, listener: Listener): () => void {
    if (!NAMES.includes(event)) throw expected('event', `one of ${NAMES.join(', ')}`, event);
    if (typeof listener !== 'function') throw expected('listener', 'a function', listener);
    // Wrapped, so that one function can be registered twice and removed once.
    const own: Listener = (event) => listener(event);
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(own));
    this.#update();
    return () => {
      if (!listeners.delete(own)) return;
      this.#update();
    };
  }

  /** The events that this thread listens to, as bits. For a greeting, by which the manager learns them. */
  stateForGreeting(): number {
    this.#confirmed = this.#wanted;
    return this.#wanted;
  }

  /** Emits 'restarted': another manager has taken over the table. */
  restarted(event: SessionEvents['restarted']): void {
    this.#emit('restarted', event);
  }

  #update(): void {
    let wanted = 0;
    for (const name of EVENT_NAMES) if ((this.#listeners.get(name)?.size ?? 0) > 0) wanted |= EVENT_BITS[name];
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#send();
  }

  /**
   * Tells the manager what this thread listens to now, and tries again until it is confirmed. The manager does the
   * calls of one connection in their order. So the last call that may have been applied counts, and whether to try
   * again is decided when no call is pending.
   */
  #send(): void {
    const call = ++this.#calls;
    const wanted = this.#wanted;
    this.#pending++;
    void this.#subscribe(wanted).then((refused) => {
      this.#pending--;
      const isDone = refused === undefined;
      if (call > this.#confirmedBy && (isDone || refused.outcome !== 'not-applied')) {
        this.#confirmedBy = call;
        this.#confirmed = isDone ? wanted : undefined;
      }
      if (isDone) this.#retry.succeeded();
      if (this.#pending === 0 && this.#confirmed !== this.#wanted) this.#retry.schedule();
    });
  }

  /** The manager tells this thread nothing any more. */
  end(): void {
    this.#retry.end();
  }

  /**
   * Reads notices and passes them on. Returns how many events were among them. Unknown and malformed notices are
   * skipped.
   */
  receive(notices: Uint8Array): number {
    const from = new ByteReader(notices);
    let events = 0;
    while (from.left >= NOTICE_HEADER) {
      const kind = from.u8();
      const count = from.u32();
      if (count > from.left) break;
      const next = from.skip(count) + count;
      if (kind === NOTICE.event) events++;
      try {
        this.#notice(kind, new ByteReader(notices, next - count, next));
      } catch (error) {
        if (!(error instanceof MalformedBytes)) throw error;
      }
    }
    return events;
  }

  #notice(kind: number, fields: ByteReader): void {
    if (kind === NOTICE.event) this.#event(fields);
    else if (kind === NOTICE.over)
      this.#sessionEnded(fields.u32(), fields.u32() | 0, REASONS[fields.u8()] as EndReason);
    else if (kind === NOTICE.gap) this.#emit('gap', { missed: fields.f64() });
  }

  #event(fields: ByteReader): void {
    const bit = fields.u8();
    const name = EVENT_NAMES.find((each) => EVENT_BITS[each] === bit) as SessionEventName;
    if ((this.#listeners.get(name)?.size ?? 0) === 0) return;
    const session = toSessionInfo(readInfo(fields));
    if (name !== 'ended') {
      this.#emit(name, { session });
      return;
    }
    const reason = REASONS[fields.u8()] as EndReason;
    const note = fromUtf8(fields.raw(fields.left));
    this.#emit(name, note === '' ? { session, reason } : { session, reason, note });
  }

  #emit(name: keyof SessionEvents, event: SessionEvents[keyof SessionEvents]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(event as never);
      } catch (error) {
        // Reported as an uncaught exception, like any other programming error; the other listeners still run.
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }
}
