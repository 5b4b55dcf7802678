/**
 * Calls as they travel: how one is written and answered, and how the calls of a batch are settled from its reply. The
 * bytes are drawn in src/protocol/calls.ts. Used in every thread of the host.
 */

import { types } from 'node:util';
import { ByteReader, type ByteWriter } from '../protocol/bytes.js';
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

/** Calls of one reply that are settled in one turn of the event loop. */
const SETTLED_AT_ONCE = 128;
/** Number of the first call, and how many. */
export const BATCH_HEADER = 12;

/** Calls that travel together. */
export interface Batch {
  readonly first: number;
  readonly calls: Call[];
  readonly deadline: number;
  bytes: number;
  /** What is sent, and sent again to a manager's successor; undefined while the batch is gathered. */
  message: ArrayBuffer | undefined;
}

/** The number of its last call. */
export function lastOf({ first, calls }: Batch): number {
  return first + calls.length - 1;
}

/** What a batch was answered; where that is no reply at all, there is nothing in it to read. */
export function readerOf(reply: unknown): ByteReader {
  return new ByteReader(types.isArrayBuffer(reply) ? new Uint8Array(reply) : new Uint8Array(0));
}

/**
 * Settles some calls of a batch, from `start` on, from its reply, and returns where the others begin, whose turn is in
 * the next turns of the event loop: so that what the first ones go on to call is on its way to the manager while the
 * others are still at it here, and neither thread waits for the other. `settling` is called before each.
 */
export function settleSome({ calls }: Batch, from: ByteReader, start: number, settling: () => unknown): number {
  const { length } = from.bytes;
  from.end = length;
  if (start === 0 && !(length >= 4 && from.u32() === calls.length)) from.at = length;
  const end = Math.min(start + SETTLED_AT_ONCE, calls.length);
  for (let i = start; i < end; i++) {
    from.end = length;
    settling();
    readAnswer(from, calls[i] as Call);
  }
  return end;
}
