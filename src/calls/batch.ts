/** Calls that travel together, and the settling of them from their reply. Used in every thread of the host. */

import { types } from 'node:util';
import { ByteReader } from '../protocol/bytes.js';
import { type Call, readAnswer } from './call.js';

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
