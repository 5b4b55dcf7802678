/**
 * What a recorded history consists of: the operations that threads did on sessions, each with the instants of its call
 * and its return.
 */

import type { SessionErrorCode } from '../../dist/src/index.js';

/** What a token is called in a history: drawn from it by the recorder, the same in all threads, and opens nothing. */
export type TokenName = string;

/** Session data: each value as its JSON text, so that it can be compared. */
export type Texts = Readonly<Record<string, string>>;

/** A change of some keys; null removes one. */
export type TextPatch = Readonly<Record<string, string | null>>;

/** What was done, and what was seen of it. What is undefined was not seen. */
export type Action =
  | { readonly do: 'new'; readonly data: Texts; readonly user: string | undefined; token: TokenName | undefined }
  /** A lookup, by token or, without one, by id. */
  | { readonly do: 'find'; readonly token: TokenName | undefined; found: boolean }
  /** Data, version and user as one record had them. */
  | { readonly do: 'read'; data: Texts; version: number; user: string | undefined }
  /** The thread was told that this is the session's token. */
  | { readonly do: 'hold'; readonly token: TokenName }
  | { readonly do: 'set'; readonly patch: TextPatch }
  | { readonly do: 'replace'; readonly data: Texts; readonly ifVersion: number | undefined }
  | { readonly do: 'take'; readonly key: string; value: string | undefined }
  | { readonly do: 'login'; readonly user: string; readonly patch: TextPatch; token: TokenName | undefined }
  /**
   * `from`: the token that the thread held when it called; `token`: the one that it held when it was answered; `grace`
   * in nanoseconds.
   */
  | { readonly do: 'rotate'; from: TokenName | undefined; readonly grace: number; token: TokenName | undefined }
  | { readonly do: 'close' }
  /** Of one user, or of all; without one session. */
  | { readonly do: 'closeAll'; readonly user: string | undefined; readonly except: string | undefined };

export type Operation = Action & {
  readonly thread: string;
  /** The session's id. Undefined where it concerns every session, or one that the thread was told nothing of. */
  session: string | undefined;
  /** Nanoseconds of the clock that all threads of a process share. */
  readonly call: number;
  /** Infinity for one that was never answered, or whose answer says nothing. */
  return: number;
  /**
   * 'unknown': it may take effect at any time after its call, or never. A code: it was refused, and changed nothing.
   */
  outcome: 'done' | 'unknown' | SessionErrorCode;
};

/** Operations that give a session a new token. */
export type Maker = Extract<Operation, { do: 'new' | 'login' | 'rotate' }>;

export function isMaker(operation: Operation): operation is Maker {
  return operation.do === 'new' || operation.do === 'login' || operation.do === 'rotate';
}

export const isRefusal = ({ outcome }: Operation): boolean => outcome !== 'done' && outcome !== 'unknown';

/** The tokens that an operation proves to have been the session's. A lookup that missed proves nothing. */
export function provenTokens(operation: Operation): TokenName[] {
  const isProof = operation.do === 'hold' || (operation.do === 'find' && operation.found);
  const proven = isProof || isMaker(operation) ? [operation.token] : [];
  if (operation.do === 'rotate') proven.unshift(operation.from);
  return proven.filter((token) => token !== undefined);
}

/** Refusals that tell something of a session; every other one says that nothing was done, and nothing more. */
const TELLING: readonly string[] = [
  'ERR_SESSION_ENDED',
  'ERR_SESSION_CONFLICT',
  'ERR_TOKEN_UNKNOWN',
] satisfies SessionErrorCode[];

/** False for what neither changed a session nor saw any of it. */
export function tellsSomething({ do: what, outcome }: Operation): boolean {
  if (outcome === 'unknown') return what !== 'find' && what !== 'read' && what !== 'hold';
  return outcome === 'done' || TELLING.includes(outcome);
}

/**
 * The operations of each session, by its id. What concerns every session stands in the history of each: linearizability
 * is local (Herlihy and Wing), so each session may be judged by itself, and judging them all at once would find nothing
 * more but that `closeAllSessions` is one step.
 */
export function bySession(history: readonly Operation[]): Map<string, Operation[]> {
  const owners = tokenOwners(history);
  const sessions = new Map<string, Operation[]>();
  const telling = history.filter(tellsSomething);
  for (const operation of telling) {
    if (operation.do === 'closeAll') continue;
    const session = operation.session ?? missedSession(operation, owners);
    if (session === undefined) continue;
    const own = sessions.get(session);
    if (own === undefined) sessions.set(session, [operation]);
    else own.push(operation);
  }
  const forAll = telling.filter((operation) => operation.do === 'closeAll');
  for (const [session, own] of sessions) own.push(...forAll.map((operation) => ({ ...operation, session })));
  return sessions;
}

/** A miss is of the session whose token was looked up. One of a token that nobody was ever given is of none. */
function missedSession(operation: Operation, owners: Map<TokenName, Set<string>>): string | undefined {
  if (operation.do !== 'find' || operation.token === undefined) return undefined;
  const [owner] = owners.get(operation.token) ?? [];
  return owner;
}

/** The sessions that each token was proven to be of: one, or something is wrong. */
export function tokenOwners(history: readonly Operation[]): Map<TokenName, Set<string>> {
  const owners = new Map<TokenName, Set<string>>();
  for (const operation of history) {
    if (operation.session === undefined) continue;
    for (const token of provenTokens(operation)) {
      owners.set(token, (owners.get(token) ?? new Set()).add(operation.session));
    }
  }
  return owners;
}
