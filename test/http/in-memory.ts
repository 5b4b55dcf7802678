/**
 * Requests that reach a node:http listener without a server, a socket or a parser: also such as no parser lets through.
 */

import { IncomingMessage, type RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

export interface Told {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** Keeps what is written; there is nothing to read. */
class Sink extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  readonly #chunks: Buffer[] = [];

  override _read(): void {}

  override _write(chunk: Buffer, _: unknown, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('latin1');
  }
}

export function injectInto(
  listener: RequestListener,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Told> {
  const sink = new Sink();
  const socket = sink as unknown as Socket;
  const request = new IncomingMessage(socket);
  const all = { host: 'site', ...headers };
  const rawHeaders = Object.entries(all).flat();
  Object.assign(request, { method, url: path, headers: all, rawHeaders });
  Object.assign(request, { httpVersionMajor: 1, httpVersionMinor: 1, httpVersion: '1.1', complete: true });
  request.push(null);
  const response = new ServerResponse(request);
  response.assignSocket(socket);
  return new Promise((resolve, reject) => {
    response.once('error', reject);
    response.once('finish', () => resolve(told(sink.text)));
    response.once('close', () => reject(new Error('the response was cut off')));
    listener(request, response as ServerResponse & { req: IncomingMessage });
  });
}

function told(text: string): Told {
  const end = text.indexOf('\r\n\r\n');
  const [line = '', ...lines] = text.slice(0, end).split('\r\n');
  const pairs = lines.map((each): [string, string] => {
    const colon = each.indexOf(':');
    return [each.slice(0, colon), each.slice(colon + 1).trim()];
  });
  return { status: Number(line.split(' ')[1]), headers: new Headers(pairs), body: text.slice(end + 4) };
}
