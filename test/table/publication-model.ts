/**
 * A model of how records are published, retired and used again (worker/table/table.ts, worker/table/cells.ts), and of
 * how they are read (`load` in src/protocol/table.ts), in which every interleaving is walked through.
 *
 * One slot is read. A record is a chain of two cells: a link and the record's name; and its content with the checksum.
 * A name stands for slot, generation and stamp. What may be reordered, as on a processor that orders no more than
 * atomics do (ARM, with the instructions that V8 uses):
 *
 *   plain stores    among themselves, where they are to different words; and ahead of atomic stores before them, never
 *                   behind one after them. (Not ahead of an atomic load before them: as each call begins with one, only
 *                   what one call stores can be reordered so. What would happen otherwise is walked through too:
 *                   `callsInOrder: false`.)
 *   plain loads     among themselves, where no address depends on another; and behind atomic loads after them, never
 *                   ahead of one before them
 *   atomics         not at all
 */

/** A record: its name, the slot (0 is the one that is read) and the generation it was written for. */
export interface Named {
  readonly slot: number;
  readonly generation: number;
}

type Step =
  /** Zeroes the chain from this cell on, and writes the record there: plain stores. */
  | { readonly reuse: number; readonly record: number }
  /** Atomic stores to the slot that is read. */
  | { readonly pointer: number }
  | { readonly generation: number };

export interface Scenario {
  readonly records: readonly Named[];
  /** Which record lies in the chain of cells 1 and 2, published at first; the chain of 3 and 4 is free and zeroed. */
  readonly first: number;
  readonly writer: readonly Step[];
}

export interface Reader {
  readonly checksum: boolean;
  readonly secondLook: boolean;
  readonly generation: boolean;
  /** After so many tries a proved copy is believed although the pointer moved. */
  readonly triesOfAMovingRecord: number;
}

export interface Memory {
  /** What was replaced is not used again while a reader is under way in it. Else: at once. */
  readonly quarantine: boolean;
  /** Plain stores stay behind the atomic stores of the steps before. */
  readonly callsInOrder: boolean;
  /** Plain loads do not fall behind atomic loads after them, as on x86. */
  readonly loadsInOrder: boolean;
}

export const asBuilt: Reader = { checksum: true, secondLook: true, generation: true, triesOfAMovingRecord: 2 };

// Memory: the slot's pointer and generation, then link, name, and content with checksum, of the chains 1-2 and 3-4.
const POINTER = 0;
const GENERATION = 1;
const chainAt = (cell: number) => (cell === 1 ? 2 : 5);
const LINK = 0;
const NAME = 1;
const REST = 2;
const MEMORY = 8;

interface Store {
  readonly at: number;
  /** The chain that is used again, if this is part of that. */
  readonly chain: number;
  readonly value: number;
  /** The stores that come before this one, as bits. */
  readonly after: number;
}

/** The writer's stores, each with those that must be seen before it. */
function storesOf(writer: readonly Step[], { quarantine, callsInOrder }: Memory): Store[] {
  const stores: (Store & { readonly atomic: boolean })[] = [];
  const isOrdered = quarantine || callsInOrder;
  const add = (at: number, value: number, atomic: boolean, chain = 0) => {
    let after = 0;
    stores.forEach((earlier, i) => {
      if (atomic || earlier.at === at || (isOrdered && earlier.atomic)) after |= 1 << i;
    });
    stores.push({ at, chain, value, atomic, after });
  };
  for (const step of writer) {
    if ('pointer' in step) add(POINTER, step.pointer, true);
    else if ('generation' in step) add(GENERATION, step.generation, true);
    else {
      const at = chainAt(step.reuse);
      for (const word of [LINK, NAME, REST]) add(at + word, 0, false, step.reuse);
      add(at + LINK, step.reuse + 1, false, step.reuse);
      add(at + NAME, step.record, false, step.reuse);
      add(at + REST, step.record, false, step.reuse);
    }
  }
  return stores;
}

// The reader: how far it is, what it has loaded in this try (-1: not yet), how often the pointer had moved.
const At = { first: 0, generation: 1, second: 2, judge: 3 } as const;
const READ = MEMORY;
const R = { at: 0, pointer: 1, link: 2, name: 3, rest: 4, generation: 5, second: 6, tries: 7, words: 8 } as const;
/** The bits of the stores that are done, and of the records that were current since the reader began. */
const DONE = READ + R.words;
const CURRENT = DONE + 1;
const WORDS = CURRENT + 1;

export interface Walked {
  readonly states: number;
  /** How often a record was believed, and what was believed wrongly. */
  readonly believed: number;
  readonly faults: ReadonlySet<string>;
}

/** Walks through every interleaving of the writer with one lookup that tries at most `most` times. */
export function walk({ records, first, writer }: Scenario, reader: Reader, memory: Memory, most = 3): Walked {
  const stores = storesOf(writer, memory);
  const begin = new Array<number>(WORDS).fill(0);
  begin[POINTER] = 1;
  begin[chainAt(1) + LINK] = 2;
  begin[chainAt(1) + NAME] = first;
  begin[chainAt(1) + REST] = first;
  begin[CURRENT] = 1 << first;
  begin.fill(-1, READ + R.pointer, READ + R.tries);

  const seen = new Set<string>();
  const open: number[][] = [];
  const faults = new Set<string>();
  let believed = 0;
  const visit = (state: number[]) => {
    const done = state[DONE] as number;
    const key = String.fromCharCode(...state.map((word) => (word + 1) & 0xffff), done >>> 15);
    if (seen.has(key)) return;
    seen.add(key);
    open.push(state);
  };

  const writerSteps = (state: readonly number[]) => {
    const done = state[DONE] as number;
    stores.forEach(({ at, chain, value, after }, i) => {
      if (memory.quarantine && chain !== 0 && isUnderWayIn(state, chain)) return;
      if (done & (1 << i) || (done & after) !== after) return;
      const next = [...state];
      next[at] = value;
      next[DONE] = done | (1 << i);
      // The record that the pointer leads to now; by then it has been written whole.
      if (at === POINTER && value !== 0) next[CURRENT] = (next[CURRENT] as number) | (1 << recordIn(next, value));
      visit(next);
    });
  };
  const isUnderWayIn = (state: readonly number[], chain: number) =>
    state[READ + R.at] !== At.first && state[READ + R.pointer] === chain;
  const recordIn = (state: readonly number[], cell: number) => state[chainAt(cell) + NAME] as number;

  const judge = (state: readonly number[]) => {
    const [name, rest, generation] = [R.name, R.rest, R.generation].map((r) => state[READ + r]) as [
      number,
      number,
      number,
    ];
    const record = name > 0 ? records[name] : undefined;
    const proved =
      state[READ + R.link] !== 0 &&
      record?.slot === 0 &&
      (!reader.checksum || name === rest) &&
      (!reader.generation || record.generation === generation);
    const same = state[READ + R.second] === state[READ + R.pointer];
    const tries = state[READ + R.tries] as number;
    if (proved && (same || !reader.secondLook || tries >= reader.triesOfAMovingRecord)) {
      believed++;
      if (name !== rest) faults.add('a mix of two records');
      else if (!((state[CURRENT] as number) & (1 << name)))
        faults.add('a record that was not current during the lookup');
      return;
    }
    if (tries + 1 >= most) return;
    const next = [...state];
    next.fill(-1, READ + R.pointer, READ + R.tries);
    next[READ + R.at] = At.first;
    next[READ + R.tries] = tries + 1;
    visit(next);
  };

  const load = (state: readonly number[], into: number, from: number, at?: number) => {
    const next = [...state];
    next[READ + into] = state[from] as number;
    if (at !== undefined) next[READ + R.at] = at;
    visit(next);
  };
  const readerSteps = (state: readonly number[]) => {
    const at = state[READ + R.at] as number;
    const pointer = state[READ + R.pointer] as number;
    if (at === At.first) {
      // An empty slot is a miss, and the end.
      if (state[POINTER] !== 0) load(state, R.pointer, POINTER, At.generation);
      return;
    }
    const chain = chainAt(pointer);
    const isLoaded = (word: number) => state[READ + word] !== -1;
    if (!isLoaded(R.link)) load(state, R.link, chain + LINK);
    if (!isLoaded(R.name)) load(state, R.name, chain + NAME);
    if (isLoaded(R.link) && !isLoaded(R.rest)) {
      // Where the link leads: to the second cell of either chain, or, zeroed, nowhere.
      const link = state[READ + R.link] as number;
      load(state, R.rest, link === 4 ? chainAt(3) + REST : chainAt(1) + REST);
    }
    const isCopied = isLoaded(R.link) && isLoaded(R.name) && isLoaded(R.rest);
    if (memory.loadsInOrder && !isCopied) return;
    if (at === At.generation) load(state, R.generation, GENERATION, At.second);
    else if (at === At.second) load(state, R.second, POINTER, At.judge);
    else if (isCopied) judge(state);
  };

  visit(begin);
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    writerSteps(state);
    readerSteps(state);
  }
  return { states: seen.size, believed, faults };
}
