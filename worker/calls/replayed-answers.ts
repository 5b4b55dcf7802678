/**
 * Replayed answers: calls that are sent again, after a manager answered them and died, are answered from the journal.
 * Manager's thread.
 */

import { type Answer, CALL } from '../../src/protocol/calls.js';
import type { TableWriter } from '../table/table.js';
import type { PendingCall } from './perform.js';

/** Answers a call that was done before, as its journal says, and writes the fields of that answer. */
export function replayAnswer(table: TableWriter, { connection, by, which, reply }: PendingCall): Answer {
  const { journal } = connection;
  const { call } = by;
  const answer = journal.answerOf(call);
  if (answer !== 'done') return answer;
  const { slot, generation, createdAt, pinned } = journal.intentOf(call);
  if (which === CALL.newSession || which === CALL.putSession) {
    reply.u32(slot);
    reply.u32(generation);
    reply.f64(createdAt);
  } else if (which === CALL.closeAllSessions || which === CALL.sweep) {
    reply.u32(journal.countOf(call));
  } else if (which === CALL.take && pinned !== 0) {
    const value = table.pinned(pinned);
    if (value !== undefined) reply.raw(value);
  }
  return answer;
}
