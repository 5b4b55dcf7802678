/** Session data: what goes in, what comes out, and what is refused. */

import { data, entries, refused } from './caught-by.js';

export const ofData = [
  {
    name: 'a value is read beyond its entry',
    in: 'DataReader.whole',
    find: 'this.at !== this.end',
    replace: 'this.at < this.end',
    caughtBy: entries('what ends in the middle, or goes on after its end, is refused'),
  },
  {
    name: 'a value in an unknown format is guessed at',
    in: 'DataReader.whole',
    find: 'this.next() !== tag.FORMAT',
    replace: 'this.next() === tag.END',
    caughtBy: entries('a value in a format of another build is refused'),
  },
  {
    name: 'a key is assigned whatever Object.prototype says',
    in: 'define',
    file: 'src/protocol/data/decode.ts',
    find: 'if (!(key in object)) {',
    replace: "if (!Object.hasOwn(object, key) && key !== '__proto__') {",
    caughtBy: data('a poisoned or frozen Object.prototype neither breaks nor hears what is read'),
  },
  {
    name: 'the keys of a nested object twice, the second wins',
    in: 'define',
    file: 'src/protocol/data/decode.ts',
    find: "if (Object.hasOwn(object, key)) throw new MalformedBytes('a key twice');",
    replace: '',
    caughtBy: entries('a key twice in one object is refused'),
  },
  {
    name: 'decoded arrays can be changed',
    in: 'DataReader.#value',
    find: 'return Object.freeze(this.#items(levels + 1));',
    replace: 'return this.#items(levels + 1);',
    caughtBy: data('plain objects and arrays are frozen all the way down, in Maps too'),
  },
  {
    name: 'a key that was foreseen is believed by its length',
    in: 'KnownKeys.find',
    find: 'if (same === length) {',
    replace: 'if (same === length || place < 0) {',
    caughtBy: data('any data comes back exactly, with and without known keys'),
  },
  {
    name: '−0 is stored as 0',
    in: 'Walk.#number',
    find: 'value >>> 0 !== value || Object.is(value, -0)',
    replace: 'value >>> 0 !== value',
    caughtBy: data('−0, NaN and the infinities come back'),
  },
  {
    name: 'lone surrogates become replacement characters',
    in: 'writeLongString',
    find: 'text.isWellFormed() ? UTF8 : UTF16',
    replace: 'UTF8',
    caughtBy: data('a lone surrogate comes back as it went in'),
  },
  {
    name: 'properties of an array beside its elements are dropped',
    in: 'Walk.#array',
    find: 'Object.keys(value).length !== length || hasSymbols(value)',
    replace: 'hasSymbols(value)',
    caughtBy: refused('an array with a property'),
  },
  {
    name: 'the last bytes of a session may lie beyond the limit',
    in: 'Walk.entries',
    find: 'if (writer.length > this.#end) throw this.#tooLarge();',
    replace: '',
    caughtBy: refused('the limit is the last size that fits, to the byte'),
  },
];
