/**
 * This thread's end of the port to the manager: gathers the calls made in one tick into one Comlink call, keeps them
 * until they are answered, and gives each up by its deadline, come what may. When its manager dies, it goes over to the
 * next.
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

/** Bytes that may wait in one thread. */
export const MAX_PENDING_BYTES = 64 * 1024 * 1024;
/** Calls, or their bytes, at which a batch is full. */
const MAX_BATCH_CALLS = MOST_IN_FLIGHT / 2;
const MAX_BATCH_BYTES = 1 << 20;

const overloaded = new Refused('ERR_OVERLOADED');

export class Connection {
  #link: Link;
  /** False while there is no manager to send to, or what was sent before has to be sent again first. */
  #isUp = true;
  readonly #memory: ConnectionMemory;
  readonly #words: Int32Array;
  readonly #callTimeout: number;
  readonly #listener: ConnectionListener;
  readonly #writer = new ByteWriter();
  #writing = false;
  /** Calls made while another was being written. */
  readonly #nested: { readonly call: Call; readonly bytes: Uint8Array }[] = [];
  /** What is on its way to the manager, and what waits until less is, oldest first. */
  readonly #sent: Batch[] = [];
  readonly #waiting: Batch[] = [];
  /** Replies that have arrived and are being next to the callers, oldest first. */
  readonly #delivering: { readonly batch: Batch; readonly from: ByteReader; next: number }[] = [];
  readonly #countSettled = (): number => this.#calls--;
  #current: Batch | undefined;
  #next = 1;
  /** As CONNECTION.settled has it. */
  #lastSettled = 0;
  #calls = 0;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed: Refused | undefined;
  #isGreeted = false;
  /**
   * Rejects the greeting that is under way. Not a closure of this object: kept here, it would have the collections of
   * young objects keep all of it, as measured on Node 20.
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
        else this.#isUp = false;
      },
    );
  }

  /** The first exchange: agrees on the build. Rejects if the port closes first. */
  async greet(): Promise<Welcome> {
    this.#link.ref();
    try {
      const closed = new Promise<never>((_, reject) => {
        this.#rejectGreeting = reject;
      });
      closed.catch(() => {});
      const welcome = await Promise.race([this.#link.greet(this.#memory, this.#listener.state()), closed]);
      this.#isGreeted = true;
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
   * Goes over to the port of a manager's successor. What the former one answered before its end is read first; then the
   * successor is next what this thread listens to, and gets, in their order, the batches that were not answered. It
   * knows by the journal which of their calls were done.
   */
  reconnect(port: MessagePort): void {
    // Where the manager died before its welcome arrived, whoever joins tries anew, with ports that no former manager
    // had.
    this.#refuseGreeting();
    if (this.#closed !== undefined || !this.#isGreeted) {
      port.close();
      return;
    }
    this.#isUp = false;
    this.#link.drain();
    this.#link.close();
    const link = this.#linkTo(port);
    this.#link = link;
    if (this.#calls > 0) link.ref();
    // In another turn: by then the answers that were read have settled their batches.
    setImmediate(() => this.#resume(link));
  }

  #resume(link: Link): void {
    if (link !== this.#link || this.#closed !== undefined) return;
    link.greet(this.#memory, this.#listener.state()).then(
      (welcome) => {
        if (welcome.accepted) this.#listener.sessionsEnded(welcome.over);
      },
      () => {},
    );
    this.#isUp = true;
    for (const batch of this.#sent) this.#post(batch);
    this.#sendMore();
  }

  /**
   * `make`, for a call that is no more than its fields. Resolves to what `read` made of the reply's, or to a `Refused`.
   * Never rejects.
   */
  call<T>(which: number, write: (to: ByteWriter) => void, read: (from: ByteReader) => T): Promise<T | Refused> {
    return new Promise((settle) => {
      this.make({ which, write, done: (from) => settle(read(from)), refused: settle });
    });
  }

  /**
   * Makes a call, which is next by the deadline how it ended. What its `write` throws is thrown, and no call is made.
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
   * Data may run code of the application while it is written (a getter), which may call in turn: that call is written
   * elsewhere, and takes its place before the one at hand.
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

  /** Enters a call that is written into the batch; false if it is refused, as too much is pending. */
  #append(call: Call, bytes: number): boolean {
    if (this.#calls >= MOST_CALLS || this.#bytes + bytes > MAX_PENDING_BYTES) {
      call.refused(overloaded);
      return false;
    }
    if (this.#current === undefined) {
      const deadline = performance.now() + this.#callTimeout;
      this.#current = { first: this.#next, calls: [], deadline, bytes: 0, message: undefined };
      // After the promises that are settled in this tick have called what they call: then it all travels at once.
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

  /**
   * A batch that is full is on its way while this thread makes the next: so neither the manager nor the journal ever
   * has too much at once.
   */
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
    // Kept until it is answered, and so copied on its way: a manager that dies has a successor who gets it again.
    batch.message = to.copy().buffer;
    to.reset();
    to.reserve(BATCH_HEADER);
    this.#waiting.push(batch);
    this.#sendMore();
  }

  /** Sends what waits, as far as the calls under way allow it. */
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

  /** Tells some calls their answers, and the others in the next turns of the event loop. */
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
   * Says that the answers up to this batch's last have arrived, or are waited for no longer. The word never falls so
   * far behind the numbers that it could be taken for one ahead of them.
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

  /** Keeps the thread alive while something is pending, and watches the deadlines. */
  #keepAlive(): void {
    this.#link.ref();
    if (this.#timer === undefined) this.#setTimer(this.#callTimeout);
    else this.#timer.ref();
  }

  /**
   * A timer that nothing waits for any more is left to run out: the next call is watched by it, as making another takes
   * longer than a look too many.
   */
  #setTimer(after: number): void {
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        // After a turn of the event loop: where this thread was busy for long, the replies may lie at the door.
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
      // Given up before it is looked what was begun; the manager says what it begins before it looks what was given up.
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

  /** Ends this end: what is pending is refused, and so is every later call. */
  close(why: Refused): void {
    if (this.#closed !== undefined) return;
    this.#closed = why;
    this.#refuseGreeting();
    if (this.#current !== undefined) this.#waiting.push(this.#current);
    this.#current = undefined;
    // What was not begun yet never will be.
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
