/**
 * This thread's connection to the manager. It collects the calls made in one tick into one Comlink call, keeps them
 * until they are answered, and refuses each at its deadline. When the manager dies, it continues with the successor.
 * Runs in every thread of the host.
 */

import { types } from 'node:util';
import type { MessagePort } from 'node:worker_threads';
import { type ByteReader, ByteWriter } from '../protocol/bytes.js';
import { CONNECTION, MOST_CALLS, MOST_IN_FLIGHT } from '../protocol/calls.js';
import { SessionError } from '../protocol/errors.js';
import type { Welcome } from '../protocol/greeting.js';
import { BATCH_HEADER, type Batch, type Call, lastOf, readerOf, settleSome, writeCall } from './batch.js';
import { type ConnectionListener, type ConnectionMemory, Link } from './link.js';
import { Refused, refusedAt } from './refused.js';

/** Bytes of calls that may be pending in one thread. */
export const MAX_PENDING_BYTES = 64 * 1024 * 1024;
/** A batch is full at so many calls or bytes. */
const MAX_BATCH_CALLS = MOST_IN_FLIGHT / 2;
const MAX_BATCH_BYTES = 1 << 20;

const overloaded = new Refused('ERR_OVERLOADED');

export class Connection {
  #link: Link;
  /**
   * False while there is no manager to send to, or the batches that were sent to the former one have not been sent
   * again.
   */
  #isUp = true;
  readonly #memory: ConnectionMemory;
  readonly #words: Int32Array;
  readonly #callTimeout: number;
  readonly #listener: ConnectionListener;
  readonly #writer = new ByteWriter();
  #writing = false;
  /** Calls that were made while another was being written. */
  readonly #nested: { readonly call: Call; readonly bytes: Uint8Array }[] = [];
  /** Batches under way to the manager, and batches that wait until fewer are; oldest first. */
  readonly #sent: Batch[] = [];
  readonly #waiting: Batch[] = [];
  /** Replies that have arrived and whose calls are being settled, oldest first. */
  readonly #delivering: { readonly batch: Batch; readonly from: ByteReader; next: number }[] = [];
  readonly #countSettled = (): number => this.#calls--;
  #current: Batch | undefined;
  #next = 1;
  /** The value of CONNECTION.settled. */
  #lastSettled = 0;
  #calls = 0;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed: Refused | undefined;
  #isGreeted = false;
  /** Whether the manager at the other end of the port has answered the greeting. */
  #isWelcome = false;
  /**
   * Rejects the greeting that is under way. It must not be a closure over this object: such a cycle kept all of it
   * alive through minor garbage collections, as measured on Node 20.
   */
  #rejectGreeting: ((error: SessionError) => void) | undefined;

  constructor(port: MessagePort, memory: ConnectionMemory, callTimeout: number, listener: ConnectionListener) {
    this.#memory = memory;
    this.#words = new Int32Array(memory.words);
    this.#callTimeout = callTimeout;
    this.#listener = listener;
    this.#link = this.#linkTo(port);
  }

  #linkTo(port: MessagePort): Link {
    return new Link(
      port,
      (message) => this.#notices(message),
      (link) => {
        if (link !== this.#link) return;
        const code = this.#listener.lost();
        if (code !== undefined) this.close(new Refused(code, 'unknown'));
        else this.#isUp = this.#isWelcome = false;
      },
    );
  }

  /** False from the death of a manager to its successor's first answer, as far as this thread knows. */
  get hasManager(): boolean {
    return this.#isWelcome && this.#closed === undefined;
  }

  /** The first exchange with the manager. Rejects with ERR_MANAGER_FAILED if the port closes first. */
  async greet(): Promise<Welcome> {
    this.#link.ref();
    try {
      const closed = new Promise<never>((_, reject) => {
        this.#rejectGreeting = reject;
      });
      closed.catch(() => {});
      const welcome = await Promise.race([this.#link.greet(this.#memory, this.#listener.state()), closed]);
      this.#isGreeted = this.#isWelcome = true;
      return welcome;
    } finally {
      this.#rejectGreeting = undefined;
      if (this.#calls === 0) this.#link.unref();
    }
  }

  #refuseGreeting(): void {
    this.#rejectGreeting?.(new SessionError('ERR_MANAGER_FAILED'));
  }

  /**
   * Continues with the port to a successor of the manager. The replies of the former manager are read first. The
   * successor is then greeted, and gets the unanswered batches in their order. It knows from the journal which of their
   * calls were done.
   */
  reconnect(port: MessagePort): void {
    // If the manager died before it answered the greeting, joining is tried again from the start, with new ports.
    this.#refuseGreeting();
    if (this.#closed !== undefined || !this.#isGreeted) {
      port.close();
      return;
    }
    this.#isUp = this.#isWelcome = false;
    this.#link.drain();
    this.#link.close();
    const link = this.#linkTo(port);
    this.#link = link;
    if (this.#calls > 0) link.ref();
    // In a later turn: by then the replies that were read have settled their batches.
    setImmediate(() => this.#resume(link));
  }

  #resume(link: Link): void {
    if (link !== this.#link || this.#closed !== undefined) return;
    link.greet(this.#memory, this.#listener.state()).then(
      (welcome) => {
        if (link === this.#link) this.#isWelcome = welcome.accepted;
        if (welcome.accepted) this.#listener.sessionsEnded(welcome.over);
      },
      () => {},
    );
    this.#isUp = true;
    for (const batch of this.#sent) this.#post(batch);
    this.#sendMore();
  }

  /**
   * As `make`, for a call without an object of its own. Resolves to what `read` returns for the reply, or to a
   * `Refused`. Never rejects.
   */
  call<T>(which: number, write: (to: ByteWriter) => void, read: (from: ByteReader) => T): Promise<T | Refused> {
    return new Promise((settle) => {
      this.make({ which, write, done: (from) => settle(read(from)), refused: settle });
    });
  }

  /**
   * Makes a call. One of its callbacks is called by the deadline. If `write` throws, the error is thrown, and no call
   * is made.
   */
  make(call: Call): void {
    if (this.#closed !== undefined) {
      call.refused(new Refused(this.#closed.code));
      return;
    }
    if (this.#writing) {
      this.#makeNested(call);
      return;
    }
    const to = this.#writer;
    if (this.#current === undefined) {
      to.reset();
      to.reserve(BATCH_HEADER);
    }
    const start = to.length;
    let bytes = 0;
    this.#writing = true;
    try {
      bytes = writeCall(to, call);
    } finally {
      this.#writing = false;
      to.length = start + bytes;
      if (this.#nested.length > 0) this.#insertNested(start);
    }
    if (!this.#append(call, bytes)) to.length -= bytes;
    this.#sendIfFull();
  }

  /**
   * Writing data may run code of the application (a getter) that makes a call itself. That call is written to a buffer
   * of its own, and takes its place before the current one.
   */
  #makeNested(call: Call): void {
    const to = new ByteWriter(256);
    writeCall(to, call);
    this.#nested.push({ call, bytes: to.copy() });
  }

  #insertNested(start: number): void {
    const to = this.#writer;
    const behind = to.bytes.slice(start, to.length);
    to.length = start;
    for (const { call, bytes } of this.#nested.splice(0)) {
      if (this.#append(call, bytes.length)) to.raw(bytes);
      this.#sendIfFull();
    }
    to.raw(behind);
  }

  /** Adds a written call to the current batch. False if it is refused, as too much is pending. */
  #append(call: Call, bytes: number): boolean {
    if (this.#calls >= MOST_CALLS || this.#bytes + bytes > MAX_PENDING_BYTES) {
      call.refused(overloaded);
      return false;
    }
    if (this.#current === undefined) {
      const deadline = performance.now() + this.#callTimeout;
      this.#current = { first: this.#next, calls: [], deadline, bytes: 0, message: undefined };
      // After the promises that are settled in this tick: the calls that they trigger then travel in the same batch.
      process.nextTick(() => this.#send());
    }
    if (this.#calls === 0) this.#keepAlive();
    this.#current.calls.push(call);
    this.#current.bytes += bytes;
    this.#next++;
    this.#calls++;
    this.#bytes += bytes;
    return true;
  }

  /** Sends a full batch at once, so that neither the manager nor the journal ever has too many calls at a time. */
  #sendIfFull(): void {
    const batch = this.#current;
    if (batch !== undefined && (batch.calls.length >= MAX_BATCH_CALLS || batch.bytes >= MAX_BATCH_BYTES)) this.#send();
  }

  #send(): void {
    const batch = this.#current;
    if (batch === undefined) return;
    this.#current = undefined;
    const to = this.#writer;
    to.view.setFloat64(0, batch.first, true);
    to.view.setUint32(8, batch.calls.length, true);
    // A copy, as it is kept until the reply: if the manager dies, its successor gets the batch again.
    batch.message = to.copy().buffer;
    to.reset();
    to.reserve(BATCH_HEADER);
    this.#waiting.push(batch);
    this.#sendMore();
  }

  /** Sends waiting batches as long as fewer than MOST_IN_FLIGHT calls are under way. */
  #sendMore(): void {
    const waiting = this.#waiting;
    while (this.#isUp) {
      const [batch] = waiting;
      if (batch === undefined || lastOf(batch) - this.#lastSettled > MOST_IN_FLIGHT) return;
      waiting.shift();
      this.#sent.push(batch);
      this.#post(batch);
    }
  }

  #post(batch: Batch): void {
    this.#link.execute(batch.message as ArrayBuffer).then(
      (reply) => this.#receive(batch, reply),
      () => {
        this.#refuse(batch, () => new Refused('ERR_MANAGER_FAILED', 'unknown'));
        this.#sendMore();
      },
    );
  }

  #receive(batch: Batch, reply: unknown): void {
    const at = this.#sent.indexOf(batch);
    if (at < 0) return;
    this.#sent.splice(at, 1);
    this.#settle(batch);
    this.#sendMore();
    this.#delivering.push({ batch, from: readerOf(reply), next: 0 });
    if (this.#delivering.length === 1) this.#deliver();
  }

  /** Settles some calls, and the rest in later turns of the event loop. */
  #deliver(): void {
    const [delivery] = this.#delivering;
    if (delivery === undefined) return;
    delivery.next = settleSome(delivery.batch, delivery.from, delivery.next, this.#countSettled);
    if (delivery.next === delivery.batch.calls.length) {
      this.#delivering.shift();
      this.#release(delivery.batch);
    }
    if (this.#delivering.length > 0) setImmediate(() => this.#deliver());
  }

  /**
   * Tells the manager that the replies up to the batch's last call have arrived or are not awaited any more. The word
   * is written for every batch, so a comparison modulo 2^32 stays correct.
   */
  #settle(batch: Batch): void {
    this.#lastSettled = Math.max(this.#lastSettled, lastOf(batch));
    Atomics.store(this.#words, CONNECTION.settled, this.#lastSettled | 0);
  }

  #refuse(batch: Batch, refuse: (call: number) => Refused): void {
    const list = this.#sent.includes(batch) ? this.#sent : this.#waiting;
    const at = list.indexOf(batch);
    if (at < 0) return;
    list.splice(at, 1);
    this.#settle(batch);
    batch.calls.forEach((call, i) => {
      this.#calls--;
      call.refused(refuse(batch.first + i));
    });
    this.#release(batch);
  }

  #release(batch: Batch): void {
    this.#bytes -= batch.bytes;
    if (this.#calls > 0) return;
    this.#timer?.unref();
    this.#link.unref();
  }

  /** Keeps the thread alive while calls are pending, and starts the timer of their deadlines. */
  #keepAlive(): void {
    this.#link.ref();
    if (this.#timer === undefined) this.#setTimer(this.#callTimeout);
    else this.#timer.ref();
  }

  /**
   * A timer that no call needs any more is left to run out, and serves the next call: making a new timer for each burst
   * costs more than one needless expiry.
   */
  #setTimer(after: number): void {
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        // After a turn of the event loop: if this thread was blocked, replies may have arrived without having been
        // read.
        setImmediate(() => this.#expire());
      },
      Math.max(1, Math.ceil(after)),
    );
  }

  #expire(): void {
    const now = performance.now();
    for (;;) {
      const batch = this.#sent[0] ?? this.#waiting[0];
      if (batch === undefined || batch.deadline > now) break;
      // The order is essential: first store that the batch is given up, then load what was begun. The manager stores
      // what it begins before it loads what was given up, so no call is refused as 'not-applied' and done all the same.
      this.#settle(batch);
      const begun = Atomics.load(this.#words, CONNECTION.begun);
      this.#refuse(batch, (call) => refusedAt(call, begun, 'ERR_TIMEOUT'));
    }
    this.#sendMore();
    if (this.#timer !== undefined) return;
    const oldest = this.#sent[0] ?? this.#waiting[0];
    if (oldest !== undefined) this.#setTimer(oldest.deadline - now);
    else if (this.#current !== undefined) this.#setTimer(this.#callTimeout);
  }

  /** Closes the connection: pending calls are refused, and so is every later one. */
  close(why: Refused): void {
    if (this.#closed !== undefined) return;
    this.#closed = why;
    this.#refuseGreeting();
    if (this.#current !== undefined) this.#waiting.push(this.#current);
    this.#current = undefined;
    // Calls that were not begun yet never will be.
    this.#lastSettled = this.#next - 1;
    Atomics.store(this.#words, CONNECTION.settled, this.#lastSettled | 0);
    const begun = Atomics.load(this.#words, CONNECTION.begun);
    for (const batch of [...this.#sent, ...this.#waiting]) {
      this.#refuse(batch, (call) => refusedAt(call, begun, why.code));
    }
    clearTimeout(this.#timer);
    this.#link.close();
  }

  #notices(message: unknown): void {
    const notices = (message as { notices?: unknown } | null)?.notices;
    if (!types.isArrayBuffer(notices)) return;
    Atomics.add(this.#words, CONNECTION.eventsRead, this.#listener.notices(new Uint8Array(notices)));
  }
}
