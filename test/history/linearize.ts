/**
 * Whether some operations, each of which took effect at one instant between its call and its return, can be put into an
 * order that a sequential model allows. Knows no sessions.
 *
 * The search is that of J. M. Wing and C. Gong, "Testing and Verifying Concurrent Objects" (Journal of Parallel and
 * Distributed Computing 17, 1993): whatever was called before the first return may come next; take one, and where that
 * leads nowhere, another. After G. Lowe, "Testing for Linearizability" (Concurrency and Computation: Practice and
 * Experience 29(4), 2017), no pair of done operations and state is visited twice. Histories are cut into one for each
 * object first, as by A. Horn and D. Kroening, "Faster Linearizability Checking via P-Compositionality" (FORTE 2015),
 * and in A. Athalye's Porcupine; the caller does that.
 *
 * Three things are added:
 *   - What changes no state at all and may come next comes next, and nothing else is tried: in any order that exists it
 *     can be moved to the front, as it changes nothing for the others. So reads, most of a history, are no place to
 *     branch.
 *   - An operation that is not required may come at any time after its call, or never. It is tried last.
 *   - A model may say that states rise to levels, from which there is no way back, and up to which level an operation
 *     can happen at all. A state above the level of anything that is still to come leads nowhere. Else those that are
 *     not required would be tried in all combinations.
 */

export interface Model<Op, State> {
  readonly initial: State;
  /**
   * The states that an operation with its outcome may lead to: none if it cannot happen there. The state itself, the
   * very object, if it changes nothing there and would not later either; an equal one, if it might later.
   */
  step(state: State, op: Op): readonly State[];
  /** A text that tells a state from every other. */
  keyOf(state: State): string;
  /** Never falls, whatever is done. */
  levelOf(state: State): number;
  /** The highest level at which an operation with its outcome can happen; Infinity if there is none. */
  ceilingOf(op: Op): number;
}

export interface Entry<Op> {
  readonly op: Op;
  readonly call: number;
  readonly return: number;
  /** False for what may never have taken effect. */
  readonly required: boolean;
}

export interface Finding<State> {
  readonly verdict: 'linearizable' | 'not linearizable' | 'gave up';
  /** Pairs of done operations and state. */
  readonly visited: number;
  /**
   * States, some of them, in which all had been done but the required operation that returned last, and that it did not
   * fit.
   */
  readonly beforeLast: readonly State[];
}

/**
 * Pairs visited before the search gives up: some hundred megabytes, and fifty times what a history of ten thousand
 * operations takes.
 */
const MOST_VISITED = 500_000;
const MOST_SHOWN = 4;

interface Move<State> {
  /** An index into the required operations; or, negative, the complement of one into the others. */
  readonly which: number;
  readonly state: State;
}

interface Frame<State> {
  readonly moves: readonly Move<State>[];
  next: number;
  /** The first required operation that was not done when this frame was entered. */
  readonly first: number;
}

const byCall = (a: { call: number }, b: { call: number }) => a.call - b.call;

export function linearize<Op, State>(
  model: Model<Op, State>,
  entries: readonly Entry<Op>[],
  mostVisited = MOST_VISITED,
): Finding<State> {
  return new Search(model, entries).run(mostVisited);
}

class Search<Op, State> {
  readonly #model: Model<Op, State>;
  readonly #required: readonly Entry<Op>[];
  readonly #optional: readonly Entry<Op>[];
  readonly #ceilings: Float64Array;
  /** The lowest ceiling of this required operation and all that were called after it. */
  readonly #ceilingsFrom: Float64Array;
  /** The required operation that returned last. */
  readonly #last: number;
  readonly #isDone: Uint8Array;
  readonly #isUsed: Uint8Array;
  #first = 0;
  #left: number;

  constructor(model: Model<Op, State>, entries: readonly Entry<Op>[]) {
    this.#model = model;
    this.#required = entries.filter(({ required }) => required).sort(byCall);
    this.#optional = entries.filter(({ required }) => !required).sort(byCall);
    this.#isDone = new Uint8Array(this.#required.length);
    this.#isUsed = new Uint8Array(this.#optional.length);
    this.#left = this.#required.length;
    this.#ceilings = Float64Array.from(this.#required, ({ op }) => model.ceilingOf(op));
    this.#ceilingsFrom = new Float64Array(this.#left + 1).fill(Number.POSITIVE_INFINITY);
    for (let i = this.#left - 1; i >= 0; i--) {
      this.#ceilingsFrom[i] = Math.min(this.#ceilings[i] as number, this.#ceilingsFrom[i + 1] as number);
    }
    const returns = this.#required.map((entry) => entry.return);
    this.#last = returns.indexOf(returns.reduce((latest, each) => Math.max(latest, each), 0));
  }

  /** Goes on with a stack of its own: a history is as deep as it is long. */
  run(mostVisited: number): Finding<State> {
    const visited = new Set<string>();
    const beforeLast = new Map<string, State>();
    const found = (verdict: Finding<State>['verdict']): Finding<State> => ({
      verdict,
      visited: visited.size,
      beforeLast: [...beforeLast.values()],
    });
    if (this.#left === 0) return found('linearizable');
    const frames: Frame<State>[] = [this.#enter(this.#model.initial)];
    for (;;) {
      const frame = frames.at(-1) as Frame<State>;
      const move = frame.moves[frame.next++];
      if (move === undefined) {
        frames.pop();
        const parent = frames.at(-1);
        if (parent === undefined) return found('not linearizable');
        this.#undo(parent);
        continue;
      }
      this.#do(move.which);
      if (this.#left === 0) return found('linearizable');
      const key = this.#keyOf(move.state);
      if (visited.has(key)) {
        this.#undo(frame);
        continue;
      }
      visited.add(key);
      if (visited.size > mostVisited) return found('gave up');
      if (this.#left === 1 && this.#isDone[this.#last] === 0 && beforeLast.size < MOST_SHOWN)
        beforeLast.set(this.#model.keyOf(move.state), move.state);
      frames.push(this.#enter(move.state));
    }
  }

  #do(which: number): void {
    if (which < 0) {
      this.#isUsed[~which] = 1;
      return;
    }
    this.#isDone[which] = 1;
    this.#left--;
    while (this.#isDone[this.#first] === 1) this.#first++;
  }

  /** Takes back the move that was made last from this frame. */
  #undo({ moves, next, first }: Frame<State>): void {
    const { which } = moves[next - 1] as Move<State>;
    this.#first = first;
    if (which < 0) this.#isUsed[~which] = 0;
    else {
      this.#isDone[which] = 0;
      this.#left++;
    }
  }

  /** What may come next: whatever was called before the earliest return of what is left, the earliest return first. */
  #enter(state: State): Frame<State> {
    const first = this.#first;
    const next: number[] = [];
    // Sorted by call: a later one cannot exclude an earlier one, for it returns after its own call.
    let earliest = Number.POSITIVE_INFINITY;
    let ceiling = Number.POSITIVE_INFINITY;
    let i = first;
    for (; i < this.#required.length; i++) {
      const entry = this.#required[i] as Entry<Op>;
      if (entry.call > earliest) break;
      if (this.#isDone[i] === 1) continue;
      earliest = Math.min(earliest, entry.return);
      ceiling = Math.min(ceiling, this.#ceilings[i] as number);
      next.push(i);
    }
    // Nothing from `i` on is done: it was called after something returned that is not done.
    if (this.#model.levelOf(state) > Math.min(ceiling, this.#ceilingsFrom[i] as number))
      return { moves: [], next: 0, first };
    next.sort((a, b) => (this.#required[a] as Entry<Op>).return - (this.#required[b] as Entry<Op>).return);
    const moves: Move<State>[] = [];
    for (const which of next) {
      const states = this.#model.step(state, (this.#required[which] as Entry<Op>).op);
      if (states.length === 1 && states[0] === state) return { moves: [{ which, state }], next: 0, first };
      for (const each of states) moves.push({ which, state: each });
    }
    const key = this.#optional.length > 0 ? this.#model.keyOf(state) : '';
    for (const [i, entry] of this.#optional.entries()) {
      if (entry.call > earliest) break;
      if (this.#isUsed[i] === 1) continue;
      for (const each of this.#model.step(state, entry.op)) {
        // Where it changes nothing, it may as well never have happened.
        if (each !== state && this.#model.keyOf(each) !== key) moves.push({ which: ~i, state: each });
      }
    }
    return { moves, next: 0, first };
  }

  /** What is done, told by the first that is not and by those after it that are; and the state. */
  #keyOf(state: State): string {
    const first = this.#first;
    let key = `${first}`;
    // Nothing called after the first one's return can be done before it.
    const until = (this.#required[first] as Entry<Op>).return;
    for (let i = first + 1; i < this.#required.length && (this.#required[i] as Entry<Op>).call <= until; i++) {
      if (this.#isDone[i] === 1) key += `,${i}`;
    }
    for (let i = this.#isUsed.indexOf(1); i >= 0; i = this.#isUsed.indexOf(1, i + 1)) key += `;${i}`;
    return `${key}|${this.#model.keyOf(state)}`;
  }
}
