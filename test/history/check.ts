/**
 * Checks a recorded history: each session's operations must have an order that one session allows, and no token may be
 * of two sessions.
 */

import { explain } from './explain.js';
import { type Entry, type Finding, linearize } from './linearize.js';
import { bySession, type Operation, tokenOwners } from './operations.js';
import { type Prepared, prepare, type SessionState, sessionModel } from './session-model.js';

export interface Report {
  readonly sessions: number;
  /** Operations that were judged: all but those that tell nothing. One of every session counts for each. */
  readonly operations: number;
  /** Of these, the ones that may or may not have taken effect. */
  readonly unknown: number;
  /** How much was searched: as many as there are operations, where no choice was wrong. */
  readonly visited: number;
  /**
   * What is wrong, in words; none if nothing is. A session that the search gave up on is wrong: nothing is known of it.
   */
  readonly failures: readonly string[];
}

/** The shortest part of a session's history, from its beginning, for which there is no order. */
export interface Prefix {
  readonly operations: readonly Prepared[];
  /** The operation whose return completes it. */
  readonly last: Operation;
  /** States that the session may have been in, and that `last` does not fit. */
  readonly before: readonly SessionState[];
}

export function checkHistory(history: readonly Operation[], mostVisited?: number): Report {
  const failures: string[] = [];
  let [operations, unknown, visited] = [0, 0, 0];
  for (const [token, owners] of tokenOwners(history)) {
    if (owners.size > 1) failures.push(`One token is of ${owners.size} sessions: ${sharersOf(history, token)}`);
  }
  const sessions = bySession(history);
  for (const [session, own] of sessions) {
    const prepared = prepare(own);
    const finding = judge(prepared, Number.POSITIVE_INFINITY, mostVisited);
    operations += own.length;
    unknown += own.filter(({ outcome }) => outcome === 'unknown').length;
    visited += finding.visited;
    if (finding.verdict === 'gave up') {
      failures.push(
        `Session ${session}: gave up after ${finding.visited} states; ${own.length} operations are too entangled`,
      );
    } else if (finding.verdict === 'not linearizable') {
      failures.push(explain(session, own, shortestPrefix(prepared)));
    }
  }
  return { sessions: sessions.size, operations, unknown, visited, failures };
}

const sharersOf = (history: readonly Operation[], token: string): string =>
  [...(tokenOwners(history).get(token) ?? [])].sort().join(', ');

/**
 * Judges what had been called by an instant. What was not answered by then may have taken effect or not; if it did, it
 * did as it turned out.
 */
function judge(prepared: readonly Prepared[], until: number, mostVisited?: number): Finding<SessionState> {
  const entries: Entry<Prepared>[] = [];
  for (const op of prepared) {
    const { operation } = op;
    if (operation.call > until) continue;
    const required = operation.return <= until && operation.outcome !== 'unknown';
    entries.push({ op, call: operation.call, return: operation.return, required });
  }
  return linearize(sessionModel, entries, mostVisited);
}

/**
 * Whatever has an order has one for each of its beginnings: so the shortest that has none is found by halving. Where
 * the search gives up, it is longer.
 */
function shortestPrefix(prepared: readonly Prepared[]): Prefix {
  const answered = prepared
    .filter(({ operation }) => operation.outcome !== 'unknown')
    .sort((a, b) => a.operation.return - b.operation.return);
  const returnOf = (at: number): number => (answered[at] as Prepared).operation.return;
  let low = 0;
  let high = answered.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (judge(prepared, returnOf(middle)).verdict === 'not linearizable') high = middle;
    else low = middle + 1;
  }
  const until = returnOf(low);
  return {
    operations: prepared.filter(({ operation }) => operation.call <= until),
    last: (answered[low] as Prepared).operation,
    before: judge(prepared, until).beforeLast,
  };
}
