/**
 * Which tokens an operation of one session may have made.
 *
 * A thread that called `rotate` or `login` learns the new token by asking for it once it is answered, and by then
 * someone else may have rotated it again. And whoever holds the token from which a `rotate` with an unknown outcome
 * went learns the new one, if there is one. So what was seen tells the maker of most tokens, and of the others the
 * candidates; the model tries them.
 */

import { isMaker, isRefusal, type Maker, type Operation, provenTokens, type TokenName } from './operations.js';

export interface Made {
  readonly token: TokenName;
  /** One of several candidates for the same token: which of them made it, is part of the state. */
  readonly contested: boolean;
}

/** A token that nobody ever saw. */
export const UNSEEN: Made = { token: '', contested: false };

/** For each operation of one session that makes a token, what it may have made: the likeliest first. */
export function makersOf(operations: readonly Operation[]): Map<Operation, readonly Made[]> {
  const makers = operations.filter(isMaker).filter((maker) => !isRefusal(maker));
  const isSure = (maker: Maker): boolean =>
    maker.token !== undefined && !makers.some((other) => other !== maker && mayFollow(other, maker));
  // No two can be sure of one token and be right: one of them keeps it, and the history has no order.
  const sure = new Map(makers.filter(isSure).map((maker) => [maker.token as TokenName, maker]));
  const orphans = firstSeen(operations).filter(({ token }) => !sure.has(token));
  return new Map(
    makers.map((maker) => [maker, sure.get(maker.token ?? '') === maker ? surely(maker) : among(maker, orphans)]),
  );
}

const surely = (maker: Maker): Made[] => [{ token: maker.token as TokenName, contested: false }];

/**
 * True if `other` may have replaced the token that `maker` made before its thread asked for it, or made it in its
 * stead.
 */
function mayFollow(other: Maker, maker: Maker): boolean {
  if (other.call > maker.return || other.return < maker.call || other.do === 'new') return false;
  // Nobody was told a token that an unanswered login made.
  if (other.do === 'login') return other.outcome !== 'unknown';
  if (other.from === undefined || other.call > maker.call) return true;
  // One that knew its token before this one was called goes from another than this one makes; but it may go from the
  // same as this one, and be first.
  return maker.do === 'rotate' && (maker.from === undefined || other.from === maker.from);
}

interface Seen {
  readonly token: TokenName;
  readonly call: number;
  readonly return: number;
}

/** When each token was first proven to be the session's. */
function firstSeen(operations: readonly Operation[]): Seen[] {
  const seen = new Map<TokenName, Seen>();
  for (const operation of operations) {
    for (const token of provenTokens(operation)) {
      const isFrom = operation.do === 'rotate' && operation.from === token;
      const known = seen.get(token);
      const first = Math.min(operation.call, known?.call ?? Number.POSITIVE_INFINITY);
      const last = Math.min(isFrom ? operation.call : operation.return, known?.return ?? Number.POSITIVE_INFINITY);
      seen.set(token, { token, call: first, return: last });
    }
  }
  return [...seen.values()].sort((a, b) => a.call - b.call);
}

function among(maker: Maker, orphans: readonly Seen[]): Made[] {
  // Nobody is told the token that an unanswered login made.
  if (maker.do === 'login' && maker.outcome === 'unknown') return [UNSEEN];
  // Made after the call, and, if it was replaced before the answer, seen before that by whoever replaced it.
  const possible = orphans.filter((seen) => seen.return >= maker.call && seen.call <= maker.return);
  const claimFirst = (a: Seen, b: Seen) => Number(b.token === maker.token) - Number(a.token === maker.token);
  return [...possible.sort(claimFirst).map(({ token }) => ({ token, contested: true })), UNSEEN];
}
