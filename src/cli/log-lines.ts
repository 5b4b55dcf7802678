/** Reads a file or standard input, plain or gzip, line by line, in bounded memory. Runs in the main thread. */

import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { codeOf, Failure, tell } from './failure.js';

/** A longer line is not kept in memory, and does not count as a log line. */
export const LONGEST_LINE = 1024 * 1024;

const LF = 0x0a;
const CR = 0x0d;

/**
 * Calls `line` for each line without its line end; with undefined for a line that is longer than LONGEST_LINE. The file
 * '-' is standard input. Lines are decoded as Latin-1, one character per byte, so that different lines stay different.
 * `read` is called with the number of bytes read so far. Rejects with a Failure if the source cannot be read to its
 * end.
 */
export async function readLines(
  file: string,
  line: (text: string | undefined) => void,
  read: (bytes: number) => void = () => undefined,
): Promise<void> {
  const source = file === '-' ? process.stdin : createReadStream(file);
  const splitter = new LineSplitter(line);
  let bytes = 0;
  try {
    const chunks = withProgress(source, (length) => {
      bytes += length;
      read(bytes);
    });
    const [start, rest] = await peek(chunks);
    const whole = join(start, rest);
    if (start[0] === 0x1f && start[1] === 0x8b) {
      await pipeline(whole, createGunzip(), (plain) => splitter.splitAll(plain));
    } else {
      await splitter.splitAll(whole);
    }
  } catch (error) {
    throw new Failure(`cannot read ${named(file)}: ${reasonOf(error)}`, { cause: error });
  } finally {
    source.destroy();
  }
  if (bytes === 0) throw new Failure(`${named(file)} is empty`);
}

/** The name of the source in messages. */
export function named(file: string): string {
  return file === '-' ? 'standard input' : file;
}

class LineSplitter {
  readonly #line: (text: string | undefined) => void;
  /** The beginning of a line whose end has not been read. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  #overlong = false;

  constructor(line: (text: string | undefined) => void) {
    this.#line = line;
  }

  async splitAll(chunks: AsyncIterable<Buffer>): Promise<void> {
    for await (const chunk of chunks) this.#split(chunk);
    if (this.#overlong || this.#partBytes > 0) this.#end(Buffer.alloc(0));
  }

  #split(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, from)) {
      this.#end(chunk.subarray(from, end));
      from = end + 1;
    }
    this.#append(chunk.subarray(from));
  }

  #append(part: Buffer): void {
    if (part.length === 0 || this.#overlong) return;
    this.#overlong = this.#partBytes + part.length > LONGEST_LINE;
    if (this.#overlong) return;
    this.#parts.push(part);
    this.#partBytes += part.length;
  }

  #end(last: Buffer): void {
    let text: string | undefined;
    if (this.#partBytes === 0 && !this.#overlong && last.length <= LONGEST_LINE) {
      text = textOf(last);
    } else {
      this.#append(last);
      if (!this.#overlong) text = textOf(Buffer.concat(this.#parts));
    }
    this.#parts = [];
    this.#partBytes = 0;
    this.#overlong = false;
    this.#line(text);
  }
}

function textOf(line: Buffer): string {
  return line.toString('latin1', 0, line.at(-1) === CR ? line.length - 1 : line.length);
}

async function* withProgress(source: Readable, came: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    const bytes: Buffer = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk;
    came(bytes.length);
    yield bytes;
  }
}

/** Reads the first two bytes, or fewer if there are no more: gzip is recognised by them, not by the file's name. */
async function peek(chunks: AsyncGenerator<Buffer>): Promise<[Buffer, AsyncGenerator<Buffer>]> {
  let start: Buffer = Buffer.alloc(0);
  while (start.length < 2) {
    const next = await chunks.next();
    if (next.done === true) break;
    start = start.length === 0 ? next.value : Buffer.concat([start, next.value]);
  }
  return [start, chunks];
}

async function* join(start: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (start.length > 0) yield start;
  yield* rest;
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EISDIR':
      return 'it is a directory';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'Z_BUF_ERROR':
      return 'its gzip data ends too early (is it cut off?)';
    case 'Z_DATA_ERROR':
      return 'its gzip data is damaged';
    default:
      return tell(error);
  }
}
