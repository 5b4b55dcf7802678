/**
 * Histories of what three threads do to a few sessions while the manager dies, each held against what one session
 * allows. What the loads' ledgers cannot see, as each knows but what its own thread did, stands in them: which change
 * came first, who saw what of it, who found whom by which token. Main thread.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { randomNumbers } from '../fixtures/ledger.js';
import { CookieBoard, useAndRecord } from '../fixtures/recorded-use.js';

/** Operations that each thread records: a few deaths long. */
const MOST = 700;
/** Sessions at a time, and calls that each thread has under way for them. */
const ENTRIES = 4;
const USERS = 4;

export class Histories {
  /** What is wrong, as texts: nothing, if all is well. */
  wrong = [];
  counts = { histories: 0, withDeaths: 0, operations: 0, unknown: 0 };
  #manager;
  #threads;
  #deaths;
  #checker;
  #underWay;
  /** Calls of all sessions whose outcome nobody knows: they may take effect in a later history. */
  #carried = [];

  static async begin(manager, threads, deaths) {
    const checker = new Worker(new URL('./checks-histories.js', import.meta.url));
    await once(checker, 'message');
    return new Histories(manager, threads, deaths, checker);
  }

  constructor(manager, threads, deaths, checker) {
    this.#manager = manager;
    this.#threads = threads;
    this.#deaths = deaths;
    this.#checker = checker;
  }

  get isUnderWay() {
    return this.#underWay !== undefined;
  }

  /** Begins a history, which goes on by itself until it is checked. */
  record(draw) {
    this.#underWay = this.#recordAndCheck(draw)
      .catch((error) => void this.wrong.push(`a history could not be had: ${error.stack}`))
      .finally(() => {
        this.#underWay = undefined;
      });
  }

  async end() {
    await this.#underWay;
    await this.#checker.terminate();
  }

  async #recordAndCheck(draw) {
    const { count } = this.#deaths;
    const board = new CookieBoard(1 + this.#threads.length, ENTRIES);
    const recording = { entries: ENTRIES, most: MOST, users: USERS };
    const parts = this.#threads.map((thread, i) =>
      thread.ask('record', { ...recording, board: board.memory, threads: board.threads, nth: i + 1, seed: draw() }),
    );
    const own = useAndRecord(this.#manager, {
      name: 'main',
      nth: 0,
      board,
      users: USERS,
      random: randomNumbers(draw()),
      isEnough: (recorded) => recorded >= MOST,
      amongOthers: true,
    });
    const history = (await Promise.all([own, ...parts])).flat();
    const checked = once(this.#checker, 'message');
    this.#checker.postMessage([...this.#carried, ...history]);
    const [{ operations, unknown, failures }] = await checked;
    this.wrong.push(...failures);
    this.counts.histories++;
    if (this.#deaths.count > count) this.counts.withDeaths++;
    this.counts.operations += operations;
    this.counts.unknown += unknown;
    this.#carried.push(...history.filter((each) => each.do === 'closeAll' && each.outcome === 'unknown'));
    await this.#closeAllOf(history);
  }

  /** Sessions that a history leaves would take the room of others. */
  async #closeAllOf(history) {
    const ids = history.filter((each) => each.do === 'new' && each.session !== undefined).map(({ session }) => session);
    const left = ids.map((id) => this.#manager.getSessionById(id)).filter((session) => session !== undefined);
    await Promise.all(left.map((session) => session.close().catch(() => {})));
  }
}
