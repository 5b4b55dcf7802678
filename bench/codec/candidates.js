/**
 * Codecs that could stand in place of ours. Each encodes a value and decodes it; keys, sizes and rules are the same for
 * all, as patches are merged key by key.
 */

import { Buffer } from 'node:buffer';
import { deserialize, serialize } from 'node:v8';
import { ByteWriter } from '../../dist/src/protocol/bytes.js';
import { decodeData } from '../../dist/src/protocol/data/decode.js';
import { encodeData } from '../../dist/src/protocol/data/encode.js';
import { encodeKey } from '../../dist/src/protocol/data/entries.js';
import { KnownKeys, textOfBytes } from '../../dist/src/protocol/data/strings.js';
import { SHORT_STRING } from '../../dist/src/protocol/data/tags.js';
import { copyOf, freeze, isJson } from './copy.js';

const LIMIT = 65_536;
const { hasOwnProperty: hasOwn } = Object.prototype;

export const own = {
  name: 'coatcheck',
  encode(writer, data) {
    writer.length = 0;
    encodeData(writer, data, LIMIT);
  },
  decode: (section) => decodeData(section),
};

/** JSON where it keeps a value exactly; else what the engine's structured clone makes of it. */
const json = {
  name: 'JSON, else node:v8',
  write(writer, value) {
    // Short texts without JSON's quotes: what is quickest here.
    if (typeof value === 'string' && value.length < 64) {
      const start = writer.length;
      writer.u8(3);
      encodeKey(writer, value);
      if (writer.bytes[start + 1] >= SHORT_STRING) return;
      writer.length = start;
    }
    const copy = copyOf(value);
    if (!isJson) {
      writer.u8(2);
      writer.raw(serialize(copy));
      return;
    }
    const text = JSON.stringify(copy);
    const size = Buffer.byteLength(text);
    writer.u8(size === text.length ? 0 : 1);
    const at = writer.reserve(size);
    if (size === text.length) textOfBytes.latin1Write.call(writer.bytes, text, at, size);
    else textOfBytes.utf8Write.call(writer.bytes, text, at, size);
  },
  read(bytes, start, end, text) {
    const kind = bytes[start];
    if (kind === 3) return text.slice(start + 2, end);
    if (kind === 2) return freeze(deserialize(bytes.subarray(start + 1, end)));
    const slice = kind === 0 ? textOfBytes.latin1Slice : textOfBytes.utf8Slice;
    return freeze(JSON.parse(slice.call(bytes, start + 1, end)));
  },
};

/** Not among the dependencies, because it brings an install script. Without what that builds, it is all JavaScript. */
process.env.MSGPACKR_NATIVE_ACCELERATION_DISABLED = 'true';
const { Packr } = await import('msgpackr').catch(() => ({}));
const packr = Packr && new Packr({ useRecords: false });
const msgpackr = {
  name: 'msgpackr, else node:v8',
  write(writer, value) {
    const copy = copyOf(value);
    writer.u8(isJson ? 0 : 2);
    writer.raw(isJson ? packr.pack(copy) : serialize(copy));
  },
  read(bytes, start, end) {
    const packed = bytes.subarray(start + 1, end);
    return freeze(bytes[start] === 0 ? packr.unpack(packed) : deserialize(packed));
  },
};

const v8 = {
  name: 'node:v8',
  write: (writer, value) => writer.raw(serialize(copyOf(value))),
  read: (bytes, start, end) => freeze(deserialize(bytes.subarray(start, end))),
};

const known = new KnownKeys();

/** Keys are shorter than 64 characters here, and two bytes are enough for each size. */
function inEntries({ name, write, read }) {
  return {
    name,
    encode(writer, data) {
      writer.length = 0;
      for (const key in data) {
        if (!hasOwn.call(data, key)) continue;
        encodeKey(writer, key);
        const at = writer.reserve(2);
        write(writer, data[key]);
        const size = writer.length - at - 2;
        writer.bytes[at] = size;
        writer.bytes[at + 1] = size >> 8;
        if (writer.length > LIMIT) throw new Error('too large');
      }
      if (Object.getOwnPropertySymbols(data).length > 0) throw new Error('no data');
    },
    decode(section) {
      const text = textOfBytes.latin1Slice.call(section, 0, section.length);
      const data = {};
      for (let at = 0; at < section.length; ) {
        const length = section[at] - SHORT_STRING;
        const key = known.find(section, at + 1, length);
        at += 1 + length;
        const start = at + 2;
        const end = start + section[at] + section[at + 1] * 256;
        if (key in data) throw new Error('a key twice');
        data[key] = read(section, start, end, text);
        at = end;
      }
      return Object.freeze(data);
    },
  };
}

export const others = [json, ...(packr ? [msgpackr] : []), v8].map(inEntries);
export const newWriter = () => new ByteWriter();
