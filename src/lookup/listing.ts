/**
 * Many sessions at once: listing them by reading the table slot by slot while it changes, and writing the call that
 * ends them. Runs in every thread of the host.
 */

import { setImmediate } from 'node:timers/promises';
import { Refused } from '../calls/refused.js';
import type { ByteWriter } from '../protocol/bytes.js';
import { CALL, type CloseAllCall, readTarget, type Target, writeCloseAll } from '../protocol/calls.js';
import { formatId, parseId } from '../protocol/ids.js';
import { ENDED, HEADER } from '../protocol/layout.js';
import { SessionRecord } from '../protocol/record.js';
import { callInTurn, type SessionContext } from '../session/context.js';
import { toSessionInfo, toUtf8 } from '../session/info.js';
import type { SessionId, SessionInfo } from '../types/types.js';
import type { ResolvedFilter } from '../validation/arguments.js';

/** Slots that are read before the event loop gets a turn. */
const SLICE = 1000;

/** The writer of a `closeAllSessions` call for this filter. */
export function writerOfCloseAll({ userId, except, createdBefore, limit }: ResolvedFilter<SessionId>) {
  const call: CloseAllCall = {
    user: userId === undefined ? undefined : toUtf8(userId),
    except: except === undefined ? undefined : parseId(except),
    createdBefore: createdBefore ?? Number.POSITIVE_INFINITY,
    limit: limit ?? Number.POSITIVE_INFINITY,
  };
  return (to: ByteWriter): void => writeCloseAll(to, call);
}

export class Listing {
  readonly #context: SessionContext;
  readonly #filter: ResolvedFilter<SessionId>;
  readonly #record = new SessionRecord();

  constructor(context: SessionContext, filter: ResolvedFilter<SessionId>) {
    this.#context = context;
    this.#filter = filter;
  }

  /** The sessions that the filter selects. Gives the event loop a turn every thousand slots. */
  async *sessions(): AsyncIterableIterator<SessionInfo> {
    for (const info of this.#infos((await this.#slotsOfUser()) ?? this.#allSlots())) {
      if (info === undefined) await setImmediate();
      else yield info;
    }
  }

  /**
   * The sessions of the filter's user, as the manager lists them. Undefined if the filter has no user, or the manager
   * has failed: then the whole table is read.
   */
  async #slotsOfUser(): Promise<Iterable<Target> | undefined> {
    const { userId } = this.#filter;
    if (userId === undefined) return undefined;
    const user = toUtf8(userId);
    const answer = await callInTurn(
      this.#context,
      'new',
      CALL.sessionsOfUser,
      (to) => {
        to.u16(user.length);
        to.raw(user);
      },
      (from) => Array.from({ length: from.u32() }, () => readTarget(from)),
    );
    if (!(answer instanceof Refused)) return withoutRepeats(answer);
    if (answer.code === 'ERR_MANAGER_FAILED') return undefined;
    throw answer.toError();
  }

  /**
   * Every slot that was ever allocated. A session never changes its slot, so one that lives throughout is met exactly
   * once.
   */
  *#allSlots(): Iterable<Target> {
    const { view } = this.#context;
    const touched = Atomics.load(view.header, HEADER.slotsTouched);
    for (let slot = 0; slot < touched; slot++) yield { slot, generation: view.generation(slot) };
  }

  /** The selected sessions among the targets; undefined where the event loop should get a turn. */
  *#infos(targets: Iterable<Target>): Iterable<SessionInfo | undefined> {
    let left = this.#filter.limit ?? Number.POSITIVE_INFINITY;
    let looked = 0;
    for (const target of targets) {
      if (left <= 0) return;
      if (++looked % SLICE === 0) yield undefined;
      const info = this.#info(target);
      if (info === undefined) continue;
      left--;
      yield info;
    }
  }

  #info({ slot, generation }: Target): SessionInfo | undefined {
    const { view, now } = this.#context;
    const { userId, except, createdBefore } = this.#filter;
    const record = this.#record;
    if (view.load(slot, record, true) === 0) return undefined;
    const mark = view.liveMark(record);
    if (mark === ENDED || record.generation !== generation) return undefined;
    const lastSeenAt = view.seen(record, mark);
    const endsAt = record.endsAt(lastSeenAt);
    if (endsAt <= now() || (createdBefore !== undefined && record.createdAt >= createdBefore)) return undefined;
    const info = toSessionInfo({
      id: formatId(record.id),
      user: record.user,
      client: record.client,
      createdAt: record.createdAt,
      lastSeenAt,
      endsAt,
      authenticatedAt: record.authenticatedAt,
      tokenIssuedAt: record.tokenIssuedAt,
      version: record.version,
    });
    return (userId !== undefined && info.userId !== userId) || info.id === except ? undefined : info;
  }
}

/**
 * The manager makes a long list in several steps. A session that loses and regains its user in between is listed twice.
 */
function* withoutRepeats(targets: readonly Target[]): Iterable<Target> {
  const met = new Set<number>();
  for (const target of targets) {
    if (met.has(target.slot)) continue;
    met.add(target.slot);
    yield target;
  }
}
