/** The answers that a former manager gave, as its journal has them: for calls that are sent again. Manager's thread. */

import type { ByteReader, ByteWriter } from '../src/protocol/bytes.js';
import { type Answer, CALL } from '../src/protocol/calls.js';
import { findEntry } from '../src/protocol/data/entries.js';
import { readTake } from '../src/protocol/data-calls.js';
import type { Connection } from './connections.js';
import type { TableWriter } from './table.js';

/** A batch on its way. */
export interface Batch {
  readonly connection: Connection;
  readonly reader: ByteReader;
  readonly first: number;
  readonly count: number;
  /** Calls of it that a former manager has answered; -1 where none has begun it. */
  readonly done: number;
  /** The call that was begun last before it arrived. */
  readonly begun: number;
}

/** Calls that are done again where they were done before: questions, and what concerns the connection, of which a successor knows nothing. */
const AGAIN: ReadonlySet<number> = new Set([
  CALL.stats,
  CALL.sessionsOfUser,
  CALL.watch,
  CALL.subscribe,
  CALL.leave,
  CALL.stop,
]);

export function isDoneAgain(which: number): boolean {
  return AGAIN.has(which);
}

/** Answers the `i`th call of a batch, whose fields `reader` stands at, as the journal says; writes the fields of that answer. */
export function recall(
  reply: ByteWriter,
  table: TableWriter,
  { connection: { journal }, reader }: Batch,
  i: number,
  which: number,
): Answer {
  const answer = journal.answerOf(i);
  if (answer !== 'done') return answer;
  const { slot, generation, createdAt, pinned } = journal.intentOf(i);
  if (which === CALL.newSession || which === CALL.putSession) {
    reply.u32(slot);
    reply.u32(generation);
    reply.f64(createdAt);
  } else if (which === CALL.closeAllSessions || which === CALL.sweep) {
    reply.u32(journal.countOf(i));
  } else if (which === CALL.take) {
    const { view } = table;
    if (!view.copyRecord(pinned)) return answer;
    view.head.parse(view.words);
    const { data } = table.loadedBody();
    const entry = findEntry(data, readTake(reader).key);
    if (entry !== undefined) reply.raw(data.subarray(entry.valueStart, entry.end));
  }
  return answer;
}
