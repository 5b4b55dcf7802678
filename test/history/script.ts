/** Histories written by hand: one moment after another, each an operation by itself or several that overlap. */

import type { SessionErrorCode } from '../../dist/src/index.js';
import type { Action, Operation, TextPatch, Texts, TokenName } from './operations.js';

type Values = Record<string, unknown>;
type Act = Action & { readonly outcome?: Operation['outcome'] };
type Call = Act & { readonly thread: string; readonly session: string | undefined };
type Moment = Call | readonly Call[];

const textsOf = (values: Values): Texts =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, JSON.stringify(value)]));
const patchOf = (values: Values): TextPatch =>
  Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, value === undefined ? null : JSON.stringify(value)]),
  );

// ------------------------------------------------------------ what is done

export const created = (token: TokenName, data: Values = {}, user?: string): Act => ({
  do: 'new',
  data: textsOf(data),
  user,
  token,
});
export const found = (token?: TokenName): Act => ({ do: 'find', token, found: true });
export const missed = (token?: TokenName): Act => ({ do: 'find', token, found: false });
export const read = (version: number, data: Values, user?: string): Act => ({
  do: 'read',
  data: textsOf(data),
  version,
  user,
});
export const held = (token: TokenName): Act => ({ do: 'hold', token });
export const set = (patch: Values): Act => ({ do: 'set', patch: patchOf(patch) });
export const replace = (data: Values, ifVersion?: number): Act => ({ do: 'replace', data: textsOf(data), ifVersion });
export const took = (key: string, value?: unknown): Act => ({
  do: 'take',
  key,
  value: value === undefined ? undefined : JSON.stringify(value),
});
export const login = (user: string, token: TokenName | undefined, patch: Values = {}): Act => ({
  do: 'login',
  user,
  patch: patchOf(patch),
  token,
});
/** Grace in seconds. */
export const rotate = (from: TokenName | undefined, token: TokenName | undefined, grace = 3600): Act => ({
  do: 'rotate',
  from,
  grace: grace * 1e9,
  token,
});
export const close: Act = { do: 'close' };
export const closeAll = (user?: string, except?: string): Act => ({ do: 'closeAll', user, except });

// ------------------------------------------------------------ what came of it

export const unknown = (act: Act): Act => ({ ...act, outcome: 'unknown' });
export const refused = (outcome: SessionErrorCode, act: Act): Act => ({ ...act, outcome });

// ------------------------------------------------------------ by whom, and when

export const by = (thread: string, act: Act, session = 's'): Call => ({
  ...act,
  thread,
  session: act.do === 'closeAll' ? undefined : session,
});

/** Operations that overlap, all of them with all. */
export const together = (...calls: Call[]): Call[] => calls;

/** Each moment ends before the next one begins; what is unknown has no end. */
export function script(...moments: Moment[]): Operation[] {
  return moments.flatMap((moment, at) =>
    [moment].flat().map((call: Call, i): Operation => {
      const begins = at * 1000 + i;
      const returns = call.outcome === 'unknown' ? Number.POSITIVE_INFINITY : at * 1000 + 500 + i;
      return { outcome: 'done', ...call, call: begins, return: returns };
    }),
  );
}
