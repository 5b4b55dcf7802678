/** All requests of a log, in a few bytes each, sorted by time. Runs in the main thread. */

import type { LoggedRequest } from './access-log.js';

/** Requests are in the order in which they were added until `sort` is called. Positions start at 0. */
export class RequestLog {
  /** The number of lines that held no request. */
  skippedLines = 0;

  #length = 0;
  #times = new Float64Array(1024);
  #clients = new Uint32Array(1024);
  readonly #numbers = new Map<string, number>();
  #sorted = true;

  get length(): number {
    return this.#length;
  }

  /** The number of different clients, which are numbered from 0. */
  get clients(): number {
    return this.#numbers.size;
  }

  /** Seconds since 1970 of the request at this position. */
  at(position: number): number {
    return this.#times[position] as number;
  }

  client(position: number): number {
    return this.#clients[position] as number;
  }

  add(request: LoggedRequest): void {
    if (this.#length === this.#times.length) this.#grow();
    // No line contains a line end, so two different pairs never make the same key.
    const key = `${request.address}\n${request.agent}`;
    let client = this.#numbers.get(key);
    if (client === undefined) {
      client = this.#numbers.size;
      this.#numbers.set(key, client);
    }
    if (this.#length > 0 && request.at < this.at(this.#length - 1)) this.#sorted = false;
    this.#times[this.#length] = request.at;
    this.#clients[this.#length] = client;
    this.#length += 1;
  }

  /** Sorts by time; requests of the same time stay in their order. */
  sort(): void {
    if (this.#sorted) return;
    const order = stableOrder(this.#times.subarray(0, this.#length));
    this.#times = Float64Array.from(order, (line) => this.at(line));
    this.#clients = Uint32Array.from(order, (line) => this.client(line));
    this.#sorted = true;
  }

  #grow(): void {
    const times = new Float64Array(this.#length * 2);
    times.set(this.#times);
    this.#times = times;
    const clients = new Uint32Array(this.#length * 2);
    clients.set(this.#clients);
    this.#clients = clients;
  }
}

/**
 * The positions of whole numbers in ascending order, equal ones in their original order: a radix sort by 16 bits at a
 * time, as often as the range of values needs.
 */
function stableOrder(values: Float64Array): Uint32Array {
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  let order = Uint32Array.from(values.keys());
  for (let unit = 1; unit <= most - least; unit *= 65_536) {
    const digit = (position: number) => Math.floor(((values[position] as number) - least) / unit) % 65_536;
    const next = new Uint32Array(65_537);
    for (const position of order) next[digit(position) + 1] = (next[digit(position) + 1] as number) + 1;
    for (let i = 1; i < next.length; i += 1) next[i] = (next[i] as number) + (next[i - 1] as number);
    const sorted = new Uint32Array(order.length);
    for (const position of order) {
      const place = next[digit(position)] as number;
      sorted[place] = position;
      next[digit(position)] = place + 1;
    }
    order = sorted;
  }
  return order;
}
