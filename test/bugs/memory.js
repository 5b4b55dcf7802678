/** What is held of the machine's memory. */

import { resident } from './caught-by.js';

export const ofMemory = [
  {
    name: 'large arrays lie on the heap of the C library, where they are touched whole',
    in: 'reserve',
    file: 'src/protocol/memory.ts',
    find: 'if (bytes < LARGE) return',
    replace: 'if (bytes < LARGE * 2 ** 20) return',
    caughtBy: resident('a table for three million sessions holds no memory before they come'),
  },
];
