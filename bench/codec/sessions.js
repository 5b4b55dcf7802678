/** Sessions of different kinds: `i` makes each one a little different from the others. */

import { shopData } from '../data.js';

export const sessions = {
  '220 bytes, five keys, one nested': (i) => ({
    userId: `u_58${100 + i}`,
    name: 'Ada Lovelace',
    csrf: `p5Zc0Yt3kqLw8uVbN1sR${10 + i}`,
    returnTo: `/orders/2024?page=${i}`,
    cart: {
      sku: 'A-1041',
      count: 2 + i,
      currency: 'EUR',
      total: 129.9,
      note: 'leave it at the door, please',
      gift: false,
    },
  }),
  'a small shop': (i) => structuredClone({ ...shopData, visits: i }),
  '40 small keys': (i) => Object.fromEntries(Array.from({ length: 40 }, (_, k) => [`key${k}`, k * i])),
  'a string of 4,000': (i) => ({ text: 'abcdefgh'.repeat(500) + i }),
  'words beyond Latin-1': (i) => ({ name: 'Æsa Żółć', text: 'źdźbło ☃ '.repeat(10) + i }),
  'arrays in arrays': (i) => ({
    m: [
      [1, 2, [3, 4, ['a', 'b', { x: [i] }]]],
      [5, [6, [7]]],
    ],
    n: [[['q']], []],
  }),
  'Dates, Maps, bytes': (i) => ({
    at: new Date(1_700_000_000_000 + i),
    map: new Map([
      ['a', 1],
      ['b', { c: 2 }],
    ]),
    set: new Set([i, 'x']),
    bytes: new Uint8Array(32).fill(i),
    large: 2n ** 70n + BigInt(i),
  }),
};
