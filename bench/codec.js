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
import { measure, ratios, spread } from './rounds.js';

const ROUNDS = 11;
/** Of each kind of session, so that no codec meets the same strings again at once. */
const DIFFERENT = 64;
const BYTES_A_ROUND = 1_000_000;

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
      if (!isDeepStrictEqual(decode(section), each)) throw new Error(`${codec} does not keep ${name}`);
      return section;
    }),
  );
  return { name, data, sections };
});
// All kinds warm up all codecs, as an application with one kind of session is the exception.
for (let i = 0; i < 20; i++) for (const kind of kinds) await encodeAndDecode(kind, 1);

for (const kind of kinds) {
  const { encoded, decoded } = await encodeAndDecode(kind, ROUNDS);
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

async function encodeAndDecode({ data, sections }, rounds) {
  const count = Math.ceil(BYTES_A_ROUND / Math.max(200, sections[0][0].length));
  const options = { rounds, count: rounds === 1 ? 200 : count };
  const encoding = codecs.map(({ encode }) => (times) => {
    for (let i = 0; i < times; i++) encode(writer, data[i % DIFFERENT]);
  });
  const decoding = codecs.map(({ decode }, c) => (times) => {
    for (let i = 0; i < times; i++) decode(sections[c][i % DIFFERENT]);
  });
  return { encoded: await measure(encoding, options), decoded: await measure(decoding, options) };
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
