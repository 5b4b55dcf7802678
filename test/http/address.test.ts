/** Whose address a request comes from, whatever a client writes into the header that proxies write. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clientAddress, isProxy, sameClient, trustIn } from '../support/internals.js';

const trust = trustIn(['10.0.0.0/8', 'fd00::/8', 'loopback']);
const v4 = fc.ipV4().filter((address) => !/^(?:10|127)\./.test(address));
const proxy = fc.constantFrom(
  '10.0.0.1',
  '10.255.255.255',
  '127.0.0.1',
  '::1',
  'fd00::1',
  '::ffff:10.1.2.3',
  '[fd12::1]:80',
);
/**
 * What a client may write itself: addresses, those of the proxies among them, and anything else that a header may hold.
 */
const forged = fc.array(
  fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    proxy,
    fc.string({ unit: 'binary-ascii' }),
    fc.constantFrom('', ' ', ',', 'unknown', '_x'),
  ),
  { maxLength: 8 },
);
const spaced = fc.constantFrom(', ', ',', ' ,\t');
/** An address in each of the forms in which a proxy may write it. */
const forms = (address: string) => [address, `${address}:4711`, `::ffff:${address}`, `[::ffff:${address}]:443`];

test('what a client puts before its own address never counts, however many proxies there are', () => {
  fc.assert(
    fc.property(
      forged,
      v4,
      fc.nat(3),
      fc.array(proxy, { maxLength: 3 }),
      proxy,
      spaced,
      (forged, real, form, others, peer, by) => {
        const header = [...forged, forms(real)[form], ...others].join(by);
        expect(clientAddress(peer, header, trust)).toBe(real);
        // Without the rest of the proxies: the first that is not trusted is the client, and what stands before it is
        // its own.
        expect(clientAddress(real, header, trust)).toBe(real);
      },
    ),
    { numRuns: 2000 },
  );
});

test('an entry that is no address ends the chain: nobody is taken for whoever stands before it', () => {
  fc.assert(
    fc.property(
      forged,
      fc.string().filter((text) => !/[\d:,]/.test(text)),
      fc.array(proxy, { maxLength: 3 }),
      (forged, none, others) => {
        expect(clientAddress('10.0.0.1', [...forged, '203.0.113.7', none, ...others].join(','), trust)).toBeUndefined();
      },
    ),
    { numRuns: 1000 },
  );
});

test('without proxies that are trusted the header is not read at all', () => {
  const nobody = trustIn([]);
  fc.assert(
    fc.property(forged, fc.oneof(v4, proxy), (forged, peer) => {
      expect(clientAddress(peer, forged.join(','), nobody)).toBe(clientAddress(peer, undefined, nobody));
      expect([isProxy(peer, nobody), clientAddress(peer, undefined, nobody) === undefined]).toEqual([false, false]);
    }),
  );
});

test('one network is a /24 of IPv4 and a /64 of IPv6, in any spelling, and never both', () => {
  const groups = (count: number) => fc.array(fc.nat(0xffff), { minLength: count, maxLength: count });
  const text = (parts: number[]) => parts.map((part) => part.toString(16)).join(':');
  fc.assert(
    fc.property(groups(4), groups(4), groups(4), fc.nat(63), (network, one, other, bit) => {
      // Those that stand for IPv4 are judged as such.
      fc.pre(network.some((part) => part !== 0));
      const [a, b] = [text([...network, ...one]), text([...network, ...other])];
      const moved = [...network];
      moved[bit >> 4] = (moved[bit >> 4] as number) ^ (1 << (bit & 15));
      fc.pre(moved.some((part) => part !== 0));
      expect(sameClient(a, `[${b.toUpperCase()}]:80`, 'prefix')).toBe(true);
      expect(sameClient(a, text([...moved, ...one]), 'prefix')).toBe(false);
      expect(sameClient(a, b, 'exact')).toBe(text(one) === text(other));
      expect(sameClient(a, '203.0.113.7', 'prefix')).toBe(false);
    }),
  );
  expect(sameClient('203.0.113.7', '::ffff:203.0.113.9', 'prefix')).toBe(true);
  expect(sameClient('203.0.113.7', '203.0.114.7', 'prefix')).toBe(false);
  expect(sameClient(undefined, undefined, 'prefix')).toBe(false);
});

test.each([
  ['::ffff:127.0.0.1', '127.0.0.1', '127.0.0.2'],
  ['::ffff:7f00:1', '127.0.0.1', '127.0.0.2'],
  ['::ffff:10.0.0.0/104', '10.1.2.3', '11.0.0.1'],
  ['10.0.0.0/8', '::ffff:10.1.2.3', '::ffff:11.0.0.1'],
  ['fe80::1%eth0', 'fe80::1', 'fe80::2'],
])('a trusted proxy may be written as %s', (proxy, trusted, other) => {
  const trust = trustIn([proxy]);
  expect([isProxy(trusted, trust), isProxy(other, trust)]).toEqual([true, false]);
});

test.each([
  '10',
  '0x7f.1',
  '127.1',
  '0177.0.0.1',
  '010.0.0.1',
  '2130706433',
  '10/8',
  '0x0a000000/8',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/8/8',
  '10.0.0.0/',
  '::1/129',
  '::ffff:10.0.0.0/95',
  '[::1]',
  '10.0.0.1:80',
  ' 10.0.0.1',
  '',
])('a trusted proxy may not be written as %j', (proxy) => {
  expect(() => trustIn([proxy])).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
});
