/**
 * The address of a client: that of the other end of the connection, or what a trusted proxy says. Runs in every thread
 * of the host.
 */

import ipaddr from 'ipaddr.js';
import { SessionError } from '../../index.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = readonly [Address, number];

/** Whether an address, as `toString` of ipaddr.js writes it, belongs to a trusted proxy. */
export type Trust = (address: string) => boolean;

const named: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/**
 * A test for trusted proxies. `proxies` are addresses, ranges (10.0.0.0/8) or 'loopback', 'linklocal', 'uniquelocal'.
 * Throws ERR_INVALID_OPTION.
 */
export function trustIn(proxies: readonly string[]): Trust {
  const ranges = proxies.flatMap((proxy) => (named[proxy] ?? [proxy]).map(rangeOf));
  return (text) => {
    const address = addressIn(text);
    return ranges.some(([network, bits]) => address?.kind() === network.kind() && address.match(network, bits));
  };
}

function rangeOf(text: string): Range {
  const [, host = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = plainAddressIn(host);
  const most = address?.kind() === 'ipv4' ? 32 : 128;
  const range = address && within(address, bits === undefined ? most : Number(bits), most);
  if (range !== undefined) return range;
  const form = "an address, a range such as '10.0.0.0/8', or 'loopback', 'linklocal' or 'uniquelocal'";
  throw new SessionError('ERR_INVALID_OPTION', `Expected each of \`trustProxy\` to be ${form}`);
}

/**
 * An IPv4-mapped IPv6 range becomes an IPv4 range, as mapped addresses become IPv4 addresses. Undefined for what is no
 * range, or a range of both kinds.
 */
function within(address: Address, bits: number, most: number): Range | undefined {
  if (bits > most) return undefined;
  if (!(address instanceof ipaddr.IPv6) || !address.isIPv4MappedAddress()) return [address, bits];
  return bits < 96 ? undefined : [address.toIPv4Address(), bits - 96];
}

/** Whether the other end of the connection is a trusted proxy, whose X-Forwarded headers are believed. */
export function isProxy(peer: string | undefined, trust: Trust): boolean {
  const address = addressIn(peer);
  return address !== undefined && trust(address.toString());
}

/**
 * The client's address in its shortest form; undefined if it is not known. X-Forwarded-For is read from its end: each
 * trusted proxy vouches for the entry before its own. Entries that the client has written itself are never reached.
 */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | undefined,
  trust: Trust,
): string | undefined {
  let address = addressIn(peer);
  const entries = forwardedFor?.split(',') ?? [];
  while (address !== undefined && trust(address.toString())) {
    const entry = entries.pop();
    if (entry === undefined) break;
    address = addressIn(entry.trim());
  }
  return address?.toString();
}

/**
 * Whether two addresses belong to one client: 'exact', the same address; 'prefix', the same network (IPv4 /24, IPv6
 * /64).
 */
export function sameClient(one: string | undefined, other: string | undefined, by: 'exact' | 'prefix'): boolean {
  const a = addressIn(one);
  const b = addressIn(other);
  if (a === undefined || b === undefined || a.kind() !== b.kind()) return false;
  const bits = a.kind() === 'ipv4' ? 32 : 128;
  const prefix = a.kind() === 'ipv4' ? 24 : 64;
  return a.match(b, by === 'exact' ? bits : prefix);
}

/** Parses an address as proxies write it: with a port, in brackets, with a zone, or as IPv4-mapped IPv6. */
function addressIn(text: string | undefined): Address | undefined {
  if (text === undefined || text.length > 64) return undefined;
  const bare = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text;
  const address = plainAddressIn(bare);
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** Four decimal parts, or eight groups with or without a zone. No other form that `inet_aton` accepts. */
function plainAddressIn(text: string): Address | undefined {
  const unzoned = text.replace(/%.*$/, '');
  if (ipaddr.IPv4.isValidFourPartDecimal(unzoned)) return ipaddr.IPv4.parse(unzoned);
  return ipaddr.IPv6.isValid(unzoned) ? ipaddr.IPv6.parse(unzoned) : undefined;
}
