/**
 * The load of one thread: users that create, change, rotate and close sessions without end, and look up what they and
 * others hold. Every session is kept account of, and every piece of data proves itself. Runs in the main thread and in
 * workers.
 */

import { dataOf, proves } from '../fixtures/ledger.js';

/** A call that is not settled so long after its deadline hangs. In milliseconds. */
const PATIENCE = 3000;
/** Sessions that a load holds at once. */
const MOST_OPEN = 3300;
/** Lookups after each call. */
const LOOKUPS = 300;

export class Load {
  /** What is wrong, as texts: nothing, if all is well. */
  wrong = [];
  counts = { lookups: 0, calls: 0, created: 0, closed: 0, unknown: 0, refused: {} };
  #manager;
  #name;
  #random;
  #callTimeout;
  #entries = [];
  #others = [];
  #ended = [];
  /** Data that has proved itself: the same object is not reckoned again. */
  #proved = new WeakSet();
  #going = true;
  #done;

  constructor(manager, { name, random, users, callTimeout }) {
    this.#manager = manager;
    this.#name = name;
    this.#random = random;
    this.#callTimeout = callTimeout;
    this.#done = Promise.all(Array.from({ length: users }, () => this.#user()));
  }

  /** Ends the load: resolves when every call is settled. */
  async end() {
    this.#going = false;
    await this.#done;
  }

  /** Cookies of some sessions, with what other threads may demand of them. */
  share(count) {
    const shared = [];
    for (let i = 0; i < count && this.#entries.length > 0; i++) {
      const { cookie, key, least } = this.#pick();
      shared.push({ cookie, key, least });
    }
    return shared;
  }

  /** Takes over what another thread shares. */
  borrow(shared) {
    this.#others = shared;
  }

  /** Looks at every session that this load holds, and at every one it has closed. */
  checkAll() {
    for (const entry of this.#entries) this.#look(entry);
    for (const { cookie, key } of this.#ended) {
      this.counts.lookups++;
      if (this.#manager.getSession(cookie, { touch: false }) !== undefined)
        this.#report(`${key} was closed and is there`);
    }
    this.#ended.splice(0, Math.max(0, this.#ended.length - 1000));
  }

  #report(text) {
    if (this.wrong.length < 100) this.wrong.push(text);
  }

  #pick() {
    return this.#entries[Math.floor(this.#random() * this.#entries.length)];
  }

  #look(entry) {
    this.counts.lookups++;
    const { cookie, key, least, tried, state } = entry;
    const session = this.#manager.getSession(cookie, { touch: false });
    if (state !== 'open') return;
    if (session === undefined) {
      this.#report(`${key} is missing`);
      return;
    }
    const { data } = session;
    if (!this.#proved.has(data)) {
      if (!proves(data)) this.#report(`${key} holds half a write`);
      this.#proved.add(data);
    }
    if (data.key !== key) this.#report(`${key} holds data of ${data.key}`);
    else if (data.n < least || data.n > tried) this.#report(`${key} holds ${data.n}, not ${least} to ${tried}`);
  }

  /** What other threads hold may change under these eyes; it may be gone, but it is never another's and never half. */
  #lookAtOther({ cookie, key, least }) {
    this.counts.lookups++;
    const session = this.#manager.getSession(cookie, { touch: false });
    if (session === undefined) return;
    try {
      const { data } = session;
      if (!proves(data)) this.#report(`${key} holds half a write, as another thread sees it`);
      if (data.key !== key) this.#report(`${key} holds data of ${data.key}, as another thread sees it`);
      else if (data.n < least) this.#report(`${key} holds ${data.n}, not ${least}, as another thread sees it`);
    } catch (error) {
      // It was closed between the two looks.
      if (error.code !== 'ERR_SESSION_ENDED') throw error;
    }
  }

  async #user() {
    while (this.#going) {
      try {
        await this.#settles(this.#once());
      } catch (error) {
        const what = `${error.code} ${error.outcome}`;
        this.counts.refused[what] = (this.counts.refused[what] ?? 0) + 1;
        if (error.outcome === undefined) this.#report(`${error.stack}`);
        // Never a tight loop of refusals.
        await new Promise((resolve) => setImmediate(resolve));
      }
      this.counts.calls++;
      for (let i = 0; i < LOOKUPS && this.#entries.length > 0; i++) this.#look(this.#pick());
      const other = this.#others[Math.floor(this.#random() * this.#others.length)];
      if (other !== undefined) this.#lookAtOther(other);
    }
  }

  /** The call, unless it hangs: that is reported, and not waited for any longer. */
  async #settles(call) {
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(() => {
        this.#report('a call hangs');
        resolve();
      }, this.#callTimeout + PATIENCE);
    });
    try {
      await Promise.race([call, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #once() {
    const choice = this.#random();
    const entry = this.#entries.length === 0 ? undefined : this.#pick();
    if (entry === undefined || (choice < 0.3 && this.#entries.length < MOST_OPEN)) return this.#create();
    if (entry.state !== 'open') return undefined;
    if (choice < 0.75) return this.#change(entry);
    if (choice < 0.85) return this.#rotate(entry);
    return this.#close(entry);
  }

  async #create() {
    const key = `${this.#name} ${++this.counts.created}`;
    const session = await this.#manager.newSession({ data: dataOf(key, 0) });
    const cookie = this.#manager.getCookieData(session).value;
    this.#entries.push({ session, cookie, key, least: 0, tried: 0, state: 'open' });
  }

  async #change(entry) {
    const n = ++entry.tried;
    try {
      await entry.session.set(dataOf(entry.key, n));
      entry.least = Math.max(entry.least, n);
    } catch (error) {
      if (error.outcome === 'unknown') this.counts.unknown++;
      if (error.code !== 'ERR_SESSION_ENDED' || entry.state === 'open') throw error;
    }
  }

  async #rotate(entry) {
    try {
      await entry.session.rotate({ grace: '1h' });
    } catch (error) {
      if (!/TOKEN_UNKNOWN|SESSION_ENDED/.test(error.code)) throw error;
    }
    if (entry.session.alive) entry.cookie = this.#manager.getCookieData(entry.session).value;
  }

  async #close(entry) {
    entry.state = 'closing';
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    await entry.session.close();
    entry.state = 'closed';
    this.counts.closed++;
    this.#ended.push({ cookie: entry.cookie, key: entry.key });
  }
}
