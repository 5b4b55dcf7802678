/**
 * Answers whose bytes wait until the session's changes are done. Runs in every thread of the host.
 *
 * The response itself is not touched: Node renders its head, takes its body and ends it as usual. What waits is the
 * stream beneath it, which takes bytes as for a slow client, and passes them on when the changes are done.
 * Back-pressure, 'drain', 'finish' and callbacks thus work as usual. If the stream is ended or destroyed in the
 * meantime, it first passes on what it has taken.
 *
 * Only then is it known what the session adds to the head. This is inserted into the waiting bytes (HTTP/1, RFC 9112)
 * or headers (HTTP/2).
 *
 * The code depends on the methods by which streams are implemented and ended (`_write`, `_writev`, `_final`, `end`,
 * `destroy`), on `respond` and `headersSent` of HTTP/2, and on one undocumented event: a response that waits in a
 * pipeline emits 'socket' before any of its bytes reach the connection.
 */

import { ServerResponse } from 'node:http';
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { Duplex } from 'node:stream';
import { types } from 'node:util';
import { changeHead, type HeadSource, type ResponseHead } from './head.js';
import { type Chunk, Http1Head, Http2Head, isHead } from './response-heads.js';

/**
 * Calls `render`, which renders the head of a response. The bytes wait until the session's changes are done, and the
 * session's headers are inserted. Returns false, without calling `render`, if there is no stream that could wait.
 */
export function renderHeld(response: ServerResponse, session: HeadSource, render: () => void): boolean {
  if (isInPipeline(response)) {
    render();
    if (response.headersSent) response.once('socket', (socket: Duplex) => gateOf(socket).arm(session));
    return true;
  }
  const stream = streamOf(response);
  if (stream === undefined) return false;
  const gate = gateOf(stream);
  gate.arm(session);
  try {
    render();
  } finally {
    // A head that Node refused, for a bad status for example, may be rendered again when no change is pending.
    if (!response.headersSent) gate.disarm(session);
  }
  return true;
}

/** False for a response without a connection, whose content the caller reads directly, as with Fastify's `inject`. */
export function canBeHeld(response: ServerResponse): boolean {
  return isInPipeline(response) || streamOf(response) !== undefined;
}

function isInPipeline(response: ServerResponse): boolean {
  return response instanceof ServerResponse && response.socket === null;
}

/** The connection of an HTTP/1 response, the stream of an HTTP/2 one. */
function streamOf(response: ServerResponse): Duplex | undefined {
  const stream: unknown = response instanceof ServerResponse ? response.socket : Reflect.get(response, 'stream');
  return stream instanceof Duplex ? stream : undefined;
}

/** By stream, as one connection carries many answers. */
const gates = new WeakMap<Duplex, Gate>();

function gateOf(stream: Duplex): Gate {
  const known = gates.get(stream);
  if (known !== undefined) return known;
  const gate = isHttp2(stream) ? new Http2Gate(stream) : new Http1Gate(stream);
  gates.set(stream, gate);
  return gate;
}

function isHttp2(stream: Duplex): stream is ServerHttp2Stream {
  return 'respond' in stream;
}

/**
 * Holds back what is written to a stream while an answer waits. It stays on the stream, and passes everything else on.
 */
abstract class Gate {
  readonly #stream: Duplex;
  /** The sessions whose changes the answer waits for: several if a request has sessions of several managers. */
  #sessions: HeadSource[] = [];
  /** What was written in the meantime, in order. */
  #queue: ((change: (head: ResponseHead) => void) => void)[] = [];
  #destroy: (() => void) | undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    const { destroy } = stream;
    stream.destroy = (...args) => {
      const [error] = args;
      const now = () => Reflect.apply(destroy, stream, args);
      if (this.isHolding && !this.isGone(error)) this.#destroy ??= now;
      else now();
      return stream;
    };
  }

  arm(session: HeadSource): void {
    this.#sessions.push(session);
  }

  disarm(session: HeadSource): void {
    this.#sessions = this.#sessions.filter((each) => each !== session);
  }

  /** Whether the next head is to be held back. */
  protected get isArmed(): boolean {
    return this.#sessions.length > 0;
  }

  protected get isHolding(): boolean {
    return this.#queue.length > 0;
  }

  /** Whether the other side is gone, so that nothing can be passed on. */
  protected abstract isGone(error: unknown): boolean;

  protected enqueue(handOn: (change: (head: ResponseHead) => void) => void): void {
    if (this.#queue.push(handOn) === 1) void this.#release();
  }

  async #release(): Promise<void> {
    while (!this.#sessions.every((session) => session.isSettled))
      await Promise.all(this.#sessions.map((session) => session.settled()));
    const [sessions, queue, destroy] = [this.#sessions, this.#queue, this.#destroy];
    this.#sessions = [];
    this.#queue = [];
    this.#destroy = undefined;
    const change = (head: ResponseHead) => {
      for (const session of sessions) changeHead(head, session.headChanges());
    };
    try {
      for (const handOn of queue) handOn(change);
    } catch (error) {
      // The handler has finished: there is no caller left to throw the error at.
      this.#stream.destroy(types.isNativeError(error) ? error : undefined);
    }
    this.released?.();
    if (destroy === undefined) return;
    // Over TLS and HTTP/2, a stream passes on what follows the first write one turn later.
    if (this.#stream.writableLength === 0) destroy();
    else setImmediate(destroy);
  }

  /** Called when the queue has been passed on. */
  protected released?(): void;
}

/** For an HTTP/1 connection. */
class Http1Gate extends Gate {
  #end: (() => void) | undefined;

  constructor(socket: Duplex) {
    super(socket);
    const { _write, _writev, end } = socket;
    socket._write = (chunk, encoding, done) => {
      const chunks: [Chunk] = [{ chunk, encoding }];
      this.#pass(chunks, () => _write.call(socket, chunks[0].chunk, encoding, done));
    };
    if (typeof _writev === 'function')
      socket._writev = (chunks, done) => this.#pass(chunks, () => _writev.call(socket, chunks, done));
    // Node calls `end` when the client has closed its half. What is still to be written in this turn has to come first,
    // as it would if nothing had waited.
    socket.end = (...args: unknown[]) => {
      const now = () => Reflect.apply(end, socket, args);
      if (this.isHolding) this.#end ??= () => setImmediate(now);
      else now();
      return socket;
    };
  }

  protected override released(): void {
    this.#end?.();
    this.#end = undefined;
  }

  #pass(chunks: Chunk[], handOn: () => void): void {
    const first = this.isArmed ? chunks.find(isHead) : undefined;
    if (first === undefined) {
      handOn();
      return;
    }
    this.enqueue((change) => {
      const head = new Http1Head(first.chunk);
      change(head);
      first.chunk = head.toChunk();
      handOn();
    });
  }

  protected override isGone(error: unknown): boolean {
    // A system error: the connection has failed.
    return types.isNativeError(error) && 'syscall' in error;
  }
}

/** For an HTTP/2 stream, which carries one answer. */
class Http2Gate extends Gate {
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream) {
    super(stream);
    this.#stream = stream;
    const { respond, _write, _writev, _final } = stream;
    stream.respond = (headers = {}, options) => {
      if (!this.isArmed || this.isHolding) return respond.call(stream, headers, options);
      this.enqueue((change) => {
        change(new Http2Head(headers));
        // Otherwise the client is gone.
        if (!stream.destroyed && !stream.closed) respond.call(stream, headers, options);
      });
      // As `respond` does: nothing may be written after a head without a body.
      if (options?.endStream || hasNoBody(stream, headers)) stream.end();
    };
    stream._write = (chunk, encoding, done) => this.#pass(() => _write.call(stream, chunk, encoding, done));
    if (_writev !== undefined) stream._writev = (chunks, done) => this.#pass(() => _writev.call(stream, chunks, done));
    stream._final = (done) => this.#pass(() => _final.call(stream, done));
    // True while the head waits: the answer has begun, and no other may begin.
    const isSent = () => this.isHolding || Reflect.get(Object.getPrototypeOf(stream), 'headersSent', stream);
    Object.defineProperty(stream, 'headersSent', { get: isSent, configurable: true });
  }

  #pass(handOn: () => void): void {
    if (this.isHolding) this.enqueue(handOn);
    else handOn();
  }

  protected override isGone(): boolean {
    return this.#stream.closed;
  }
}

function hasNoBody(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders): boolean {
  return Reflect.get(stream, 'headRequest') === true || [204, 205, 304].includes(Number(headers[':status']));
}
