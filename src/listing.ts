/** Listing sessions: reading the table slot by slot, steadily while it changes. Runs in every thread of the host. */

import type { ResolvedFilter } from './arguments.js';
import { toSessionInfo } from './info.js';
import type { ByteReader } from './protocol/bytes.js';
import { readTarget, type Target } from './protocol/calls.js';
import { formatId } from './protocol/ids.js';
import { ENDED, HEADER } from './protocol/layout.js';
import { seenAt } from './protocol/seen.js';
import type { TableView } from './protocol/table.js';
import type { SessionId, SessionInfo } from './types.js';

/** Slots that are looked at before the thread's event loop may turn. */
const SLICE = 1000;

export class Listing {
  readonly #view: TableView;
  readonly #now: () => number;
  readonly #filter: ResolvedFilter<SessionId>;

  constructor(view: TableView, now: () => number, filter: ResolvedFilter<SessionId>) {
    this.#view = view;
    this.#now = now;
    this.#filter = filter;
  }

  /** Every slot that was ever let. A session never changes its slot, so one that lives throughout is met once. */
  *everything(): Iterable<Target> {
    const view = this.#view;
    const touched = Atomics.load(view.header, HEADER.slotsTouched);
    for (let slot = 0; slot < touched; slot++) yield { slot, generation: view.generation(slot) };
  }

  /** The sessions of one user, as the manager names them. */
  readTargets(from: ByteReader): Iterable<Target> {
    return Array.from({ length: from.u32() }, () => readTarget(from));
  }

  /** What the filter picks among the targets; undefined now and then, where the reader should let its event loop turn. */
  *infos(targets: Iterable<Target>): Iterable<SessionInfo | undefined> {
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
    const view = this.#view;
    const { userId, except, createdBefore } = this.#filter;
    if (view.load(slot, true) === 0) return undefined;
    const { head, bytes } = view;
    const mark = view.mark(slot);
    if (mark === ENDED || head.generation !== generation) return undefined;
    const lastSeenAt = seenAt(mark, head);
    const endsAt = head.endsAt(lastSeenAt);
    if (endsAt <= this.#now() || (createdBefore !== undefined && head.createdAt >= createdBefore)) return undefined;
    const userAt = head.words * 4;
    const clientAt = userAt + head.userBytes;
    const info = toSessionInfo({
      id: formatId(head.id),
      user: bytes.subarray(userAt, clientAt),
      client: bytes.subarray(clientAt, clientAt + head.clientBytes),
      createdAt: head.createdAt,
      lastSeenAt,
      endsAt,
      authenticatedAt: head.authenticatedAt,
      tokenIssuedAt: head.tokenIssuedAt,
      version: head.version,
    });
    return (userId !== undefined && info.userId !== userId) || info.id === except ? undefined : info;
  }
}
