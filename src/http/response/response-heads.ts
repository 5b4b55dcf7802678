/**
 * The heads of node:http's responses, before they are rendered and afterwards. Runs in every
 * thread of the host.
 */

import type { ServerResponse } from 'node:http';
import type { OutgoingHttpHeaders } from 'node:http2';
import type { ResponseHead } from './head.js';

/** The headers of a response of node:http, which may be set as lists and as numbers. */
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

/** Bytes, as streams are given them. */
export interface Chunk {
  chunk: Buffer | string;
  encoding: BufferEncoding;
}

/** Whether a chunk begins with a head. Informational ones (1xx, but for 101) are none, and are never held. */
export function isHead({ chunk }: Chunk): boolean {
  return /^HTTP\/1\.1 (?!1(?!01))/.test(typeof chunk === 'string' ? chunk : chunk.toString('latin1', 0, 16));
}

/** The head with which a chunk begins: a line for the status, one for each field, and an empty one. */
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

/** The headers that `respond` is given, with their names in lower case. */
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
