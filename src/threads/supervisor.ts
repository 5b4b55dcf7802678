/**
 * The supervisor: starts the manager's thread, detects its death, and starts a successor on the same table. Runs in the
 * thread that started the manager.
 *
 * A thread that ends emits 'exit'. A thread that hangs emits nothing: `HangDetector` judges its heartbeat. A thread
 * that was given up may still run, so the owner epoch is raised first: from then on the thread is fenced, and writes
 * nothing.
 */

import {
  MessageChannel,
  type MessagePort,
  type ResourceLimits,
  type TransferListItem,
  Worker,
} from 'node:worker_threads';
import { FIRST_EPOCH, HEADER, STATUS, WORK } from '../protocol/layout.js';
import {
  type Gone,
  isPort,
  isReport,
  type Joined,
  type ManagerReport,
  type ManagerStartup,
  type ThreadError,
} from '../protocol/startup.js';
import { errorFor, errorFrom } from '../protocol/thread-error.js';
import { HangDetector, TICK, type Verdict } from './hang-detector.js';
import { type Member, memberOf } from './membership.js';
import { PoisonRecord } from './poison-record.js';

/** Milliseconds that a thread may take to start, or the call timeout if that is longer. */
const START_TIMEOUT = 10_000;
/**
 * Milliseconds to wait for the exit of a thread that was given up. A thread that is blocked in a system call never
 * exits.
 */
const PATIENCE = 250;
/** The pause before a restart if the last manager served nothing; it doubles each time, up to the longest. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 2000;

const reasons: Readonly<Record<Verdict, string>> = {
  hung: 'its heart stood still for a second',
  'not started': 'it did not start in time',
};

/** What every manager of this supervisor is started with. */
export interface SupervisorOptions {
  readonly startup: Omit<ManagerStartup, 'ownerEpoch' | 'connections' | 'suspect'>;
  readonly worker: URL;
  readonly name: string;
  readonly callTimeout: number;
  readonly restarts: { readonly most: number; readonly within: number };
  readonly resourceLimits: ResourceLimits;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #header: Int32Array;
  readonly #members = new Map<number, Member>();
  #worker: Worker | undefined;
  #epoch = 0;
  readonly #detector = new HangDetector(performance.now());
  #pausing: NodeJS.Timeout | undefined;
  readonly #pulse: NodeJS.Timeout;
  /** Whether `end` or `abort` was called, and whether there will be no further manager. */
  #ending = false;
  #over = false;
  /** When the last restarts were. */
  readonly #restartedAt: number[] = [];
  #pause = FIRST_PAUSE;
  /** Why the current manager is dying, as far as is known, and whether it failed by itself. */
  #cause: ThreadError | undefined;
  #thrown: unknown;
  #byItself = false;
  readonly #poisonRecord: PoisonRecord;
  #settleEnd: () => void = () => {};
  readonly #ended = new Promise<void>((resolve) => {
    this.#settleEnd = resolve;
  });

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#header = new Int32Array(options.startup.memory.header);
    this.#poisonRecord = new PoisonRecord(this.#header);
    this.#header[HEADER.ownerEpoch] = FIRST_EPOCH - 1;
    this.#pulse = setInterval(() => this.#look(), TICK).unref();
  }

  get threadId(): number {
    return this.#worker?.threadId ?? -1;
  }

  /** Why the manager died. */
  get cause(): unknown {
    return this.#thrown ?? (this.#cause && errorFrom(this.#cause));
  }

  /** Adds a thread, which is told of every restart from now on. */
  add(member: Member): void {
    this.#members.set(member.number, member);
  }

  /**
   * Removes a thread that has ended, and tells the manager. The manager does not notice by itself if the thread died
   * while its port was still under way.
   */
  remove(number: number): void {
    this.#worker?.postMessage({ coatcheck: 'gone', number } satisfies Gone);
    this.#members.delete(number);
  }

  // ------------------------------------------------------------ a manager's life

  /** Starts a manager, and hands each member a port to it. Throws what the Worker constructor throws. */
  start(): void {
    this.#byItself = false;
    this.#header[HEADER.served] = 0;
    const timeout = Math.max(START_TIMEOUT, this.#options.callTimeout);
    this.#detector.started(Atomics.load(this.#header, HEADER.heartbeat), timeout);
    this.#header[HEADER.workAt] = WORK.nothing;
    this.#epoch = Atomics.add(this.#header, HEADER.ownerEpoch, 1) + 1;
    const channels = [...this.#members.values()].map((member) => ({ member, ...new MessageChannel() }));
    const connections = channels.map(({ member: { number, words, journal }, port2: port }) => ({
      number,
      port,
      words,
      journal,
    }));
    const startup: ManagerStartup = {
      ...this.#options.startup,
      ownerEpoch: this.#epoch,
      connections,
      suspect: this.#poisonRecord.slot,
    };
    const { worker: module, name, resourceLimits } = this.#options;
    const worker = new Worker(module, {
      name: `coatcheck ${name}`,
      workerData: startup,
      transferList: connections.map(({ port }) => port) as TransferListItem[],
      // Modules that the host preloads are meant for the host's own threads.
      execArgv: [],
      resourceLimits,
    });
    this.#worker = worker;
    worker.on('message', (report: unknown) => {
      if (isReport(report)) this.#hear(worker, report);
    });
    worker.on('error', (error) => {
      if (worker !== this.#worker) return;
      this.#thrown = error;
      this.#cause = errorFor(error);
      this.#byItself = true;
    });
    worker.once('exit', (code) => {
      if (worker === this.#worker) this.#cause ??= errorFor(new Error(`the thread ended with exit code ${code}`));
      this.#dead(worker);
    });
    // After the listeners: adding one for 'message' refs the worker.
    worker.unref();
    for (const { member, port1 } of channels) member.reconnect(port1, this.#epoch);
  }

  #hear(worker: Worker, report: ManagerReport): void {
    if (report.coatcheck === 'joined') this.#join(report);
    if (worker !== this.#worker) return;
    if (report.coatcheck === 'dying') {
      this.#cause = report.why;
      this.#byItself = true;
    } else if (report.coatcheck === 'running') {
      this.#detector.running();
      this.#poisonRecord.clear();
      for (const id of report.setAside) {
        process.emitWarning(`The record of a session was broken, or broke its manager, and was set aside: ${id}`, {
          code: 'COATCHECK_SET_ASIDE',
        });
      }
      const why = this.#cause;
      this.#cause = undefined;
      if (why === undefined) return;
      const restarts = this.#header[HEADER.restarts] as number;
      for (const member of this.#members.values()) member.restarted(why, restarts, report.recovered);
    }
  }

  #join(joined: Joined): void {
    if (!isPort(joined.second)) return;
    if (this.#over) (joined.second as MessagePort).close();
    else this.add(memberOf(joined, () => this.remove(joined.number)));
  }

  // ------------------------------------------------------------ its death

  #look(): void {
    const worker = this.#worker;
    const verdict = this.#detector.look(performance.now(), Atomics.load(this.#header, HEADER.heartbeat));
    if (worker === undefined || verdict === undefined) return;
    if (verdict === 'hung') this.#giveUp(worker, reasons.hung);
    // The report that the manager is up may have arrived without having been read.
    else setImmediate(() => this.#detector.isRunning || this.#giveUp(worker, reasons[verdict]));
  }

  /**
   * The port to the manager has closed. Its thread may be about to die. If it stays alive, no thread can reach it, and
   * it is given up.
   */
  portClosed(): void {
    const worker = this.#worker;
    if (worker !== undefined) afterTurn(PATIENCE, () => this.#giveUp(worker, 'its port was closed')).unref();
  }

  #giveUp(worker: Worker, why: string): void {
    if (worker !== this.#worker) return;
    this.#cause ??= errorFor(new Error(`the thread was given up: ${why}`));
    this.#byItself = true;
    // From here on the thread is fenced: it writes nothing.
    Atomics.add(this.#header, HEADER.ownerEpoch, 1);
    void worker.terminate();
    afterTurn(PATIENCE, () => this.#dead(worker)).unref();
  }

  #dead(worker: Worker): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    Atomics.add(this.#header, HEADER.ownerEpoch, 1);
    const isStopped = Atomics.load(this.#header, HEADER.status) === STATUS.stopped;
    if (this.#ending || isStopped) this.#finish(STATUS.stopped);
    else if (this.#header[HEADER.status] === STATUS.starting || !this.#mayRestart()) this.#finish(STATUS.failed);
    else this.#restart();
  }

  #mayRestart(): boolean {
    const { most, within } = this.#options.restarts;
    const now = performance.now();
    while (this.#restartedAt.length > 0 && now - (this.#restartedAt[0] as number) > within) this.#restartedAt.shift();
    return this.#restartedAt.length < most;
  }

  #restart(): void {
    const header = this.#header;
    this.#poisonRecord.died(this.#byItself);
    const hasServed = (header[HEADER.served] as number) > 0;
    const isFirst = this.#restartedAt.length === 0;
    const pause = hasServed || isFirst ? 0 : this.#pause;
    this.#pause = hasServed ? FIRST_PAUSE : Math.min(this.#pause * (pause === 0 ? 1 : 2), LONGEST_PAUSE);
    this.#restartedAt.push(performance.now());
    header[HEADER.restarts] = (header[HEADER.restarts] as number) + 1;
    const start = () => {
      this.#pausing = undefined;
      try {
        this.start();
      } catch (error) {
        this.#cause = errorFor(error);
        if (this.#mayRestart()) this.#restart();
        else this.#finish(STATUS.failed);
      }
    };
    if (pause === 0) start();
    else this.#pausing = setTimeout(start, pause).unref();
  }

  // ------------------------------------------------------------ the end

  /** Waits until the manager's thread has ended, and terminates it if that takes longer than the call timeout. */
  async end(): Promise<void> {
    this.#ending = true;
    const worker = this.#worker;
    clearTimeout(this.#pausing);
    if (worker === undefined) this.#finish(STATUS.stopped);
    worker?.ref();
    const patience = afterTurn(this.#options.callTimeout, () => {
      void worker?.terminate();
      afterTurn(PATIENCE, () => worker && this.#dead(worker));
    });
    await this.#ended;
    clearTimeout(patience);
    Atomics.store(this.#header, HEADER.status, STATUS.stopped);
  }

  /** Terminates a manager that has not come up. */
  async abort(): Promise<void> {
    this.#ending = true;
    const worker = this.#worker;
    if (worker !== undefined) {
      worker.ref();
      await worker.terminate();
      this.#dead(worker);
    }
    Atomics.store(this.#header, HEADER.status, STATUS.failed);
  }

  #finish(status: number): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#pulse);
    Atomics.store(this.#header, HEADER.status, status);
    for (const member of [...this.#members.values()]) member.managerEnded();
    this.#members.clear();
    this.#settleEnd();
  }
}

/**
 * A timeout that waits for one more turn of the event loop: if this thread was blocked, messages that have arrived are
 * read first.
 */
function afterTurn(milliseconds: number, then: () => unknown): NodeJS.Timeout {
  return setTimeout(() => setImmediate(then), milliseconds);
}
