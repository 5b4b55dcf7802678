/**
 * One session as it is if what is done to it is done one by one: what each call answers and makes of it, and what a
 * thread sees of it.
 */

import { packKey } from '../contract/bare-rules.js';
import {
  type Answer,
  ByteReader,
  CALL,
  decodeData,
  readLogin,
  readReplace,
  readRotate,
  readSet,
  readTake,
  readTarget,
} from '../support/internals.js';

export type Data = Readonly<Record<string, unknown>>;

export interface State {
  readonly alive: boolean;
  readonly data: Data;
  readonly version: number;
  readonly user: string | undefined;
  /** Digests, as texts. */
  readonly current: string;
  readonly previous: { readonly digest: string; readonly until: number } | undefined;
}

/**
 * What any thread sees: by which of the tokens, given as digests, it finds the session, whether by its id, and what it
 * reads there.
 */
export interface Seen {
  readonly by: readonly string[];
  readonly byId: boolean;
  readonly data: Data | undefined;
  readonly version: number | undefined;
  readonly user: string | undefined;
}

export interface Outcome {
  readonly answer: Answer;
  /** What `take` took. */
  readonly value?: unknown;
  /** The same as it was, where nothing is changed. */
  readonly state: State;
}

export const keyOf = (digest: Int32Array): string => digest.join();

export const slotOf = (fields: Uint8Array): number => readTarget(new ByteReader(fields)).slot;

export function isFound(state: State, digest: string, now: number): boolean {
  const { alive, current, previous } = state;
  return alive && (digest === current || (digest === previous?.digest && now < previous.until));
}

export function seenOf(state: State, digests: Iterable<string>, now: number): Seen {
  const { alive, data, version, user } = state;
  if (!alive) return { by: [], byId: false, data: undefined, version: undefined, user: undefined };
  return { by: [...digests].filter((digest) => isFound(state, digest, now)), byId: true, data, version, user };
}

/** What a call, of this kind and with these fields, answers and leaves. */
export function outcomeOf(state: State, which: number, fields: Uint8Array, now: number): Outcome {
  const from = new ByteReader(fields);
  const refused = (answer: Answer): Outcome => ({ answer, state });
  const done = (change: Partial<State>): Outcome => ({ answer: 'done', state: { ...state, ...change } });
  if (which === CALL.close) return state.alive ? done({ alive: false }) : { answer: 'done', state };
  if (!state.alive) return refused('ERR_SESSION_ENDED');
  const written = (data: Data) => ({ data, version: state.version + 1 });
  switch (which) {
    case CALL.set:
      return done(written({ ...state.data, ...decodeData(readSet(from).patch) }));
    case CALL.replace: {
      const { ifVersion, data } = readReplace(from);
      if (ifVersion !== undefined && ifVersion !== state.version) return refused('ERR_SESSION_CONFLICT');
      return done(written(decodeData(data)));
    }
    case CALL.take: {
      const bytes = keyOf(Int32Array.from(readTake(from).key));
      const key = Object.keys(state.data).find((each) => keyOf(Int32Array.from(packKey(each))) === bytes);
      if (key === undefined) return { answer: 'done', state };
      const { [key]: value, ...rest } = state.data;
      return { ...done(written(rest)), value };
    }
    case CALL.login: {
      const { digest, user, patch } = readLogin(from);
      const data = patch.length === 0 ? {} : written({ ...state.data, ...decodeData(patch) });
      return done({ ...data, current: keyOf(digest), previous: undefined, user: new TextDecoder().decode(user) });
    }
    case CALL.rotate: {
      const call = readRotate(from);
      const digest = keyOf(call.from);
      if (digest === state.current) {
        return done({ current: keyOf(call.to), previous: { digest, until: now + call.grace } });
      }
      return refused(isFound(state, digest, now) ? 'moved' : 'ERR_TOKEN_UNKNOWN');
    }
    default:
      throw new Error(`no call of one session: ${which}`);
  }
}
