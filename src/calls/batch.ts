/**
 * Calls as they travel: how a call is written and answered, and how the calls of a batch are settled from the reply.
 * src/protocol/calls.ts describes the bytes. Used in every thread of the host.
 */

import { types } from 'node:util';
import { ByteReader, type ByteWriter } from '../protocol/bytes.js';
import { type Refused, refusals, unreadable } from './refused.js';

/** The head of a call: u8 which, u32 bytes. */
const CALL_HEADER = 5;

/** One call. Either `done` or `refused` is called, once. */
export interface Call {
  readonly which: number;
  /** Writes the fields of the call. */
  write(to: ByteWriter): void;
  /** Reads the fields of the reply. If it throws, the reply counts as unreadable, and the call is refused. */
  done(from: ByteReader): void;
  refused(refused: Refused): void;
}

/** Appends a call, and returns the number of bytes that it takes. */
export function writeCall(to: ByteWriter, call: Call): number {
  const start = to.reserve(CALL_HEADER);
  call.write(to);
  const bytes = to.length - start;
  to.bytes[start] = call.which;
  to.view.setUint32(start + 1, bytes - CALL_HEADER, true);
  return bytes;
}

/** Reads the answer to one call from a reply, and passes it to the call. */
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

/** Writes or reads the fields of a call that has none. */
export const noFields = (): undefined => undefined;

/** Calls of one reply that are settled in one turn of the event loop. */
const SETTLED_AT_ONCE = 128;
/** The head of a batch: f64 number of the first call, u32 count. */
export const BATCH_HEADER = 12;

/** Calls that are sent as one message. */
export interface Batch {
  readonly first: number;
  readonly calls: Call[];
  readonly deadline: number;
  bytes: number;
  /** The bytes to send, kept to be sent again to a successor of the manager. Undefined while calls are being added. */
  message: ArrayBuffer | undefined;
}

/** The number of the batch's last call. */
export function lastOf({ first, calls }: Batch): number {
  return first + calls.length - 1;
}

/** A reader of a reply. What is no ArrayBuffer reads as empty. */
export function readerOf(reply: unknown): ByteReader {
  return new ByteReader(types.isArrayBuffer(reply) ? new Uint8Array(reply) : new Uint8Array(0));
}

/**
 * Settles the calls of a batch from `start` on, at most SETTLED_AT_ONCE, and returns the index of the next one. The
 * caller settles the rest in later turns of the event loop: the calls that the settled ones trigger then reach the
 * manager while this thread is still busy with the rest, and neither thread waits for the other. `settling` is called
 * before each.
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
