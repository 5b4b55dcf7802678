/**
 * What may be shown of a session (user, client, times), converted from the form in the table to the public one. Used in
 * every thread of the host.
 */

import { ByteReader, ByteWriter } from '../protocol/bytes.js';
import type { Info } from '../protocol/notices.js';
import type { SessionId, SessionInfo } from '../types/types.js';
import type { ClientTexts } from '../validation/arguments.js';

const CLIENT_KEYS = ['ip', 'userAgent', 'label'] as const;
const NOTHING = new Uint8Array(0);

export function toUtf8(text: string): Uint8Array {
  return text === '' ? NOTHING : Buffer.from(text, 'utf8');
}

export function fromUtf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

/**
 * The client as a record stores it. For each of its three texts: the number of its bytes plus one as u16 (0: absent),
 * then the bytes.
 */
export function packClient(client: ClientTexts): Uint8Array {
  if (CLIENT_KEYS.every((key) => client[key] === undefined)) return NOTHING;
  const to = new ByteWriter(64);
  for (const key of CLIENT_KEYS) {
    const text = client[key];
    if (text === undefined) {
      to.u16(0);
      continue;
    }
    const bytes = toUtf8(text);
    to.u16(bytes.length + 1);
    to.raw(bytes);
  }
  return to.copy();
}

export function unpackClient(bytes: Uint8Array): ClientTexts {
  const client: { ip?: string; userAgent?: string; label?: string } = {};
  if (bytes.length === 0) return client;
  const from = new ByteReader(bytes);
  for (const key of CLIENT_KEYS) {
    // The manager stores these bytes unchecked. Bytes that were not packed as above end the reading here.
    if (from.left < 2) break;
    const length = from.u16();
    if (length > from.left + 1) break;
    if (length > 0) client[key] = fromUtf8(from.raw(length - 1));
  }
  return client;
}

export function toSessionInfo(info: Info): SessionInfo {
  return {
    id: info.id as SessionId,
    userId: info.user.length === 0 ? undefined : fromUtf8(info.user),
    client: unpackClient(info.client),
    createdAt: new Date(info.createdAt),
    lastSeenAt: new Date(info.lastSeenAt),
    expiresAt: toInstant(info.endsAt),
    authenticatedAt: toInstant(info.authenticatedAt),
    tokenIssuedAt: new Date(info.tokenIssuedAt),
    version: info.version,
  };
}

/** Undefined for an infinite time: never. */
export function toInstant(time: number): Date | undefined {
  return Number.isFinite(time) ? new Date(time) : undefined;
}
