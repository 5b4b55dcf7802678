/**
 * The three kinds of heads of Node responses: not rendered yet, rendered for HTTP/1, and for HTTP/2. Runs in every
 * thread of the host.
 */

import type { ServerResponse } from 'node:http';
import type { OutgoingHttpHeaders } from 'node:http2';
import type { ResponseHead } from './head.js';

/** The headers of a response that is not rendered yet. Node allows lists and numbers as values. */
export class NodeHead implements ResponseHead {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  #valuesOf(name: string): string[] | undefined {
    const value = this.#response.getHeader(name);
    return value === undefined ? undefined : [value].flat().map(String);
  }

  get(name: string): string | undefined {
    const value = this.#response.getHeader(name);
    return Array.isArray(value) ? value.join(', ') : value?.toString();
  }

  set(name: string, value: string): void {
    this.#response.setHeader(name, value);
  }

  append(name: string, value: string): void {
    const before = this.#valuesOf(name);
    this.#response.setHeader(name, before === undefined ? value : [...before, value]);
  }

  remove(name: string, value: string): void {
    const values = this.#valuesOf(name);
    if (values?.includes(value)) this.#response.setHeader(name, values.toSpliced(values.indexOf(value), 1));
  }
}

/** What a stream is given to write. */
export interface Chunk {
  chunk: Buffer | string;
  encoding: BufferEncoding;
}

/**
 * Whether a chunk begins with the head of a response. Informational responses (1xx except 101) do not count: they never
 * wait.
 */
export function isHead({ chunk }: Chunk): boolean {
  return /^HTTP\/1\.1 (?!1(?!01))/.test(typeof chunk === 'string' ? chunk : chunk.toString('latin1', 0, 16));
}

/** The rendered head at the beginning of a chunk: a status line, a line per field, and an empty line. */
export class Http1Head implements ResponseHead {
  readonly #chunk: Buffer | string;
  readonly #end: number;
  #lines: string[];

  constructor(chunk: Buffer | string) {
    this.#chunk = chunk;
    this.#end = chunk.indexOf('\r\n\r\n');
    this.#lines = (typeof chunk === 'string' ? chunk : chunk.toString('latin1', 0, this.#end))
      .slice(0, this.#end)
      .split('\r\n');
  }

  get(name: string): string | undefined {
    const values = this.#lines.filter(isField(name)).map((line) => line.slice(name.length + 1).trim());
    return values.length === 0 ? undefined : values.join(', ');
  }

  set(name: string, value: string): void {
    const isOther = isField(name);
    this.#lines = this.#lines.filter((line) => !isOther(line));
    this.append(name, value);
  }

  append(name: string, value: string): void {
    this.#lines.push(`${name}: ${value}`);
  }

  toChunk(): Buffer | string {
    const chunk = this.#chunk;
    const head = this.#lines.join('\r\n');
    if (typeof chunk === 'string') return head + chunk.slice(this.#end);
    return Buffer.concat([Buffer.from(head, 'latin1'), chunk.subarray(this.#end)]);
  }
}

function isField(name: string): (line: string) => boolean {
  const start = `${name.toLowerCase()}:`;
  return (line) => line.slice(0, start.length).toLowerCase() === start;
}

/** The headers that `respond` of HTTP/2 is given; names are in lower case. */
export class Http2Head implements ResponseHead {
  readonly #headers: OutgoingHttpHeaders;

  constructor(headers: OutgoingHttpHeaders) {
    this.#headers = headers;
  }

  get(name: string): string | undefined {
    const value = this.#headers[name.toLowerCase()];
    return value === undefined ? undefined : [value].flat().join(', ');
  }

  set(name: string, value: string): void {
    this.#headers[name.toLowerCase()] = value;
  }

  append(name: string, value: string): void {
    const before = this.#headers[name.toLowerCase()];
    this.#headers[name.toLowerCase()] = before === undefined ? value : [before, value].flat().map(String);
  }
}
