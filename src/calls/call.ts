/**
 * A call as it travels: how its connection has it written, and tells it the answer. Runs in every thread of the host.
 */

import type { ByteReader, ByteWriter } from '../protocol/bytes.js';
import { type Refused, refusals, unreadable } from './refused.js';

/** Which, and bytes. */
const CALL_HEADER = 5;

/** One call. It is told once how it ended. */
export interface Call {
  readonly which: number;
  /** Writes its fields. */
  write(to: ByteWriter): void;
  /** Reads the fields of its reply. What it throws counts as a refusal of the reply. */
  done(from: ByteReader): void;
  refused(refused: Refused): void;
}

/** Appends a call, as src/protocol/calls.ts draws it; returns how many bytes it takes. */
export function writeCall(to: ByteWriter, call: Call): number {
  const start = to.reserve(CALL_HEADER);
  call.write(to);
  const bytes = to.length - start;
  to.bytes[start] = call.which;
  to.view.setUint32(start + 1, bytes - CALL_HEADER, true);
  return bytes;
}

/** Tells a call its answer, read from a reply: the fields for it to read, or why it was refused. */
export function readAnswer(from: ByteReader, call: Call): void {
  try {
    const answer = from.u8();
    const bytes = from.u32();
    const next = from.skip(bytes) + bytes;
    from.at = next - bytes;
    from.end = next;
    if (answer === 0) call.done(from);
    else call.refused(refusals[answer] ?? unreadable);
    from.at = next;
  } catch {
    call.refused(unreadable);
  }
}
