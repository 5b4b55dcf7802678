/**
 * One session as it would be if everything that is done to it were done one by one: what `linearize` holds histories
 * against. Time ends no session of a history: its timeouts are longer than it lasts. Limits of users and of the table
 * evict none.
 */

import type { Model } from './linearize.js';
import { type Made, makersOf, UNSEEN } from './makers.js';
import { isRefusal, type Operation, type TextPatch, type Texts, type TokenName } from './operations.js';

/** The token that was replaced last, by a rotation. */
interface Previous {
  readonly token: TokenName;
  /** Nanoseconds: it may be refused from then on, and must be from then on. */
  readonly mayEnd: number;
  readonly mustEnd: number;
  /** It was refused once, and is honoured no more. */
  readonly over: boolean;
}

interface Parts {
  readonly life: 'unborn' | 'live' | 'ended';
  readonly data: Texts;
  readonly version: number;
  readonly user: string | undefined;
  readonly current: TokenName;
  readonly previous: Previous | undefined;
  /** Contested tokens that have been made: none is made twice. */
  readonly made: readonly TokenName[];
}

export interface SessionState extends Parts {
  readonly dataKey: string;
  readonly key: string;
}

/** An operation with what is worked out once for all the times that it is tried. */
export interface Prepared {
  readonly operation: Operation;
  readonly makes: readonly Made[];
  /** The data that a read saw. */
  readonly dataKey: string;
}

/** Session time may catch up with the wall clock by half a second at once, and is read in whole milliseconds. */
const EARLY = 501e6;
const LATE = 1e6;

export function prepare(operations: readonly Operation[]): Prepared[] {
  const makers = makersOf(operations);
  return operations.map((operation) => ({
    operation,
    makes: makers.get(operation) ?? [],
    dataKey: operation.do === 'read' && operation.outcome === 'done' ? keyOfData(operation.data) : '',
  }));
}

const keyOfData = (data: Texts): string =>
  JSON.stringify(Object.entries(data).sort(([a], [b]) => (a < b ? -1 : Number(a > b))));

function stateOf(parts: Parts): SessionState {
  const { life, data, version, user, current, previous, made } = parts;
  const dataKey = keyOfData(data);
  const grace = previous && [previous.token, previous.mayEnd, previous.mustEnd, previous.over];
  return { ...parts, dataKey, key: JSON.stringify([life, dataKey, version, user ?? null, current, grace, made]) };
}

const nothing = { data: {}, version: 0, user: undefined, current: '', previous: undefined, made: [] };
const unborn = stateOf({ life: 'unborn', ...nothing });
/** All that has ended is alike: nothing of it can be seen any more. */
const ended = stateOf({ life: 'ended', ...nothing });

const CANNOT: readonly SessionState[] = [];

export const sessionModel: Model<Prepared, SessionState> = {
  initial: unborn,
  keyOf: ({ key }) => key,
  levelOf: ({ life, version }) => (life === 'ended' ? Number.POSITIVE_INFINITY : version),
  ceilingOf: ({ operation }) => {
    if (operation.outcome === 'ERR_SESSION_ENDED' || isPossibleAfterEnd(operation)) return Number.POSITIVE_INFINITY;
    return operation.do === 'read' ? operation.version : Number.MAX_VALUE;
  },
  step(state, prepared) {
    const { operation } = prepared;
    if (operation.do === 'new') return state.life === 'unborn' ? begin(prepared, operation) : CANNOT;
    if (operation.do === 'closeAll') return closeAll(state, operation);
    if (operation.do === 'find') return find(state, operation);
    if (state.life === 'unborn') return CANNOT;
    if (operation.do === 'close') return [ended];
    if (operation.outcome === 'ERR_SESSION_ENDED') return onlyIf(state, state.life === 'ended');
    if (state.life === 'ended') return CANNOT;
    if (isRefusal(operation) && operation.do !== 'replace' && operation.do !== 'rotate') return [state];
    switch (operation.do) {
      case 'read': {
        const { version, user } = operation;
        return onlyIf(state, version === state.version && prepared.dataKey === state.dataKey && user === state.user);
      }
      case 'hold':
        return onlyIf(state, operation.token === state.current);
      case 'set':
        return [changed(state, merged(state.data, operation.patch))];
      case 'replace': {
        const meets = operation.ifVersion === undefined || operation.ifVersion === state.version;
        if (operation.outcome === 'ERR_SESSION_CONFLICT') return onlyIf(state, !meets);
        return meets ? [changed(state, operation.data)] : CANNOT;
      }
      case 'take':
        return take(state, operation);
      case 'login':
        return login(state, operation, prepared);
      case 'rotate':
        return rotate(state, operation, prepared);
    }
  },
};

const isPossibleAfterEnd = (operation: Operation): boolean =>
  operation.do === 'close' || operation.do === 'closeAll' || (operation.do === 'find' && !operation.found);

const onlyIf = (state: SessionState, holds: boolean): readonly SessionState[] => (holds ? [state] : CANNOT);

type Of<Name extends Operation['do']> = Extract<Operation, { do: Name }>;

function begin({ makes }: Prepared, { data, user }: Of<'new'>): readonly SessionState[] {
  return makes.map(({ token }) => stateOf({ ...unborn, life: 'live', data, user, current: token }));
}

function closeAll(state: SessionState, { user, except, session }: Of<'closeAll'>): readonly SessionState[] {
  if (state.life === 'ended' || (except !== undefined && except === session)) return [state];
  const isPicked = state.life === 'live' && (user === undefined || user === state.user);
  // A session that is not picked may be later, when it has begun or is another user's: an equal state.
  return [isPicked ? ended : { ...state }];
}

function find(state: SessionState, operation: Of<'find'>): readonly SessionState[] {
  const { token, found } = operation;
  if (state.life !== 'live') return onlyIf(state, !found);
  if (token === undefined || token === state.current) return onlyIf(state, found);
  const { previous } = state;
  if (previous?.token !== token || previous.over) return onlyIf(state, !found);
  if (found) return onlyIf(state, operation.call <= previous.mustEnd);
  if (operation.return < previous.mayEnd) return CANNOT;
  return [stateOf({ ...state, previous: { ...previous, over: true } })];
}

function changed(state: SessionState, data: Texts): SessionState {
  return stateOf({ ...state, data, version: state.version + 1 });
}

function merged(data: Texts, patch: TextPatch): Texts {
  const next: Record<string, string> = { ...data };
  for (const [key, text] of Object.entries(patch)) {
    if (text === null) delete next[key];
    else next[key] = text;
  }
  return next;
}

function take(state: SessionState, { key, value, outcome }: Of<'take'>): readonly SessionState[] {
  const there = state.data[key];
  if (outcome === 'done' && there !== value) return CANNOT;
  return [there === undefined ? state : changed(state, merged(state.data, { [key]: null }))];
}

/** The states that differ in the token that was made. */
function withToken(state: SessionState, makes: readonly Made[], parts: Partial<Parts>): readonly SessionState[] {
  return makes
    .filter(({ token, contested }) => !contested || !state.made.includes(token))
    .map(({ token, contested }) => {
      const made = contested ? [...state.made, token].sort() : state.made;
      return stateOf({ ...state, ...parts, current: token, made });
    });
}

function login(state: SessionState, { user, patch }: Of<'login'>, { makes }: Prepared): readonly SessionState[] {
  const changes = Object.keys(patch).length > 0;
  const data = changes ? merged(state.data, patch) : state.data;
  const version = changes ? state.version + 1 : state.version;
  return withToken(state, makes, { user, data, version, previous: undefined });
}

function rotate(state: SessionState, operation: Of<'rotate'>, { makes }: Prepared): readonly SessionState[] {
  const { from, grace } = operation;
  const { current, previous } = state;
  const isKnown = from === undefined || from === current;
  // Refused because the token had been replaced; a thread that knew none was refused without being asked.
  if (isRefusal(operation)) return onlyIf(state, from !== current);
  const rotated = isKnown ? withToken(state, makes, { previous: graceOf(operation, current, grace) }) : CANNOT;
  const inGrace = previous !== undefined && !previous.over && operation.call <= previous.mustEnd;
  // Someone else was first: the new token is this thread's as well.
  const moved = inGrace && (from === undefined || from === previous.token);
  return moved ? [...rotated, state] : rotated;
}

function graceOf(operation: Operation, token: TokenName, grace: number): Previous | undefined {
  if (grace === 0 || token === UNSEEN.token) return undefined;
  return { token, mayEnd: operation.call + grace - EARLY, mustEnd: operation.return + grace + LATE, over: false };
}
