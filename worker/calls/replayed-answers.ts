/** The answers that a former manager gave, as the journal has them: for calls that are sent again. Manager's thread. */

import { type Answer, CALL } from '../../src/protocol/calls.js';
import type { Journal } from '../table/journal.js';
import type { TableWriter } from '../table/table.js';
import type { Doing } from './perform.js';

/** Answers a call that was done before, as its journal says; writes the fields of that answer. */
export function recall(table: TableWriter, journal: Journal, call: number, { which, reply }: Doing): Answer {
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
