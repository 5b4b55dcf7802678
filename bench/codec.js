/**
 * How fast session data is encoded and decoded, beside other codecs that do the same: rules checked, each property read
 * once, keys apart, results frozen. `node bench/codec.js` after a build; another build's folder as an argument is
 * compared too. What is printed: bench/README.md.
 */

import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import Table from 'cli-table3';
import { newWriter, others, own } from './codec/candidates.js';
import { sessions } from './codec/sessions.js';
import { ratios, spread } from './rounds.js';

const ROUNDS = 11;
/** Of each kind of session, so that no codec meets the same strings again at once. */
const DIFFERENT = 64;
const BYTES_A_ROUND = 1_000_000;

/** As in an application some sessions live, and with them what the engine has learnt about their objects. */
const kept = [];
const codecs = [own, ...(process.argv[2] ? [await otherBuild(resolve(process.argv[2]))] : []), ...others];
const writer = newWriter();

console.log(`Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'an unknown processor'}`);
const table = new Table({
  head: ['', 'codec', 'bytes', 'encode µs', 'as long', 'decode µs', 'as long'],
  colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right'],
  style: { head: [], border: [] },
});

const kinds = Object.entries(sessions).map(([name, make]) => {
  const data = Array.from({ length: DIFFERENT }, (_, i) => make(i));
  const sections = codecs.map(({ name: codec, encode, decode }) =>
    data.map((each) => {
      encode(writer, each);
      const section = writer.copy();
      const decoded = decode(section);
      if (!isDeepStrictEqual(decoded, each)) throw new Error(`${codec} does not keep ${name}`);
      kept.push(decoded);
      return section;
    }),
  );
  return { name, data, sections };
});
// All kinds warm up all codecs: an application with one kind of session is the exception.
for (let i = 0; i < 20; i++) for (const kind of kinds) encodeAndDecode(kind, 1, 200);

for (const kind of kinds) {
  const { encoded, decoded } = encodeAndDecode(
    kind,
    ROUNDS,
    Math.ceil(BYTES_A_ROUND / Math.max(200, kind.sections[0][0].length)),
  );
  const [ofOurs] = encoded;
  const [ofOurDecoding] = decoded;
  codecs.forEach(({ name }, i) => {
    table.push([
      i === 0 ? kind.name : '',
      name,
      kind.sections[i][0].length,
      spread(encoded[i]).median.toFixed(2),
      ratios(encoded[i], ofOurs).median.toFixed(2),
      spread(decoded[i]).median.toFixed(2),
      ratios(decoded[i], ofOurDecoding).median.toFixed(2),
    ]);
  });
}
console.log(table.toString());

function encodeAndDecode({ data, sections }, rounds, count) {
  const encoded = codecs.map(() => []);
  const decoded = codecs.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < codecs.length; turn++) {
      // Each begins a round in its turn, and none pays for the garbage of the one before.
      const c = (round + turn) % codecs.length;
      const { encode, decode } = codecs[c];
      encoded[c].push(
        timed(count, (i) => {
          encode(writer, data[i % DIFFERENT]);
        }),
      );
      decoded[c].push(
        timed(count, (i) => {
          decode(sections[c][i % DIFFERENT]);
        }),
      );
    }
  }
  return { encoded, decoded };
}

/** Microseconds for each. */
function timed(count, run) {
  globalThis.gc?.({ type: 'minor' });
  const before = performance.now();
  for (let i = 0; i < count; i++) run(i);
  return ((performance.now() - before) * 1000) / count;
}

async function otherBuild(folder) {
  const part = (name) => import(`${folder}/src/protocol/data/${name}.js`);
  const [{ encodeData }, { decodeData }, { KnownKeys }] = [
    await part('encode'),
    await part('decode'),
    await part('strings'),
  ];
  const known = new KnownKeys();
  return {
    name: 'the other build',
    encode(to, data) {
      to.length = 0;
      encodeData(to, data, 65_536);
    },
    decode: (section) => decodeData(section, known),
  };
}
