/**
 * Answers whose bytes wait until the changes of the session are done. Runs in every thread of the host.
 *
 * The response itself is left alone: its head is rendered, it is written to and ended, and whatever it says of itself
 * is Node's own word. What waits is the stream beneath it. It takes the bytes as it would for a slow client, and hands
 * them on when the changes are done; so back-pressure, 'drain', 'finish' and callbacks are those of the stream. If it
 * is ended or destroyed meanwhile, it first hands on what it was given, as it would have done without a session.
 *
 * What the head has to say of the session is known only then, and is put into what waits: into the bytes of HTTP/1, in
 * the form of RFC 9112, or into the headers of HTTP/2.
 *
 * Relied on are the methods by which streams are implemented and ended (`_write`, `_writev`, `_final`, `end` and
 * `destroy`), `respond` and `headersSent` of HTTP/2, and one event that Node does not document: a response that waits
 * in a pipeline for the one before it emits 'socket' before any of its bytes reach the connection.
 */

import { ServerResponse } from 'node:http';
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { Duplex } from 'node:stream';
import { types } from 'node:util';
import { changeHead, type HeadSource, type ResponseHead } from './head.js';
import { type Chunk, Http1Head, Http2Head, isHead } from './response-heads.js';

/**
 * Has `render` render the head of a response. Its bytes wait until the changes of the session are done, and change of
 * them. False, and nothing is rendered, where no bytes can wait.
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
    // A head that was refused, for a bad status say, may be rendered anew without any change under way.
    if (!response.headersSent) gate.disarm(session);
  }
  return true;
}

/** False for a response that belongs to no connection, and is read by whoever made it, as with Fastify's `inject`. */
export function canBeHeld(response: ServerResponse): boolean {
  return isInPipeline(response) || streamOf(response) !== undefined;
}

function isInPipeline(response: ServerResponse): boolean {
  return response instanceof ServerResponse && response.socket === null;
}

/** The connection; in HTTP/2 the stream. */
function streamOf(response: ServerResponse): Duplex | undefined {
  const stream: unknown = response instanceof ServerResponse ? response.socket : Reflect.get(response, 'stream');
  return stream instanceof Duplex ? stream : undefined;
}

/** A connection has many answers, one after the other. */
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

/** A stream that hands nothing on while an answer is held. It stays on its stream, and lets everything else pass. */
abstract class Gate {
  readonly #stream: Duplex;
  /** Those whose changes the answer waits for; several where a request has sessions of several managers. */
  #sessions: HeadSource[] = [];
  /** What the stream was to hand on meanwhile, in order. */
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

  /** Whether the next head is to be held. */
  protected get isArmed(): boolean {
    return this.#sessions.length > 0;
  }

  protected get isHolding(): boolean {
    return this.#queue.length > 0;
  }

  /** Whether nobody is left to hand anything on to. */
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
      // Whoever answered has gone on: there is nobody left to throw it at.
      this.#stream.destroy(types.isNativeError(error) ? error : undefined);
    }
    this.released?.();
    if (destroy === undefined) return;
    // Over TLS and HTTP/2 a stream hands on what comes after the first write a turn later.
    if (this.#stream.writableLength === 0) destroy();
    else setImmediate(destroy);
  }

  /** Runs when all that was queue is handed on. */
  protected released?(): void;
}

/** Of a connection of HTTP/1. */
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
    // By this Node answers a client that closes its half. What is still written without a pause comes before it, as it
    // would have been written before the client was heard of.
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
    // Of the system: the connection has failed.
    return types.isNativeError(error) && 'syscall' in error;
  }
}

/** Of a stream of HTTP/2, which has one answer. */
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
        // Else the client has gone.
        if (!stream.destroyed && !stream.closed) respond.call(stream, headers, options);
      });
      // As `respond` does: nothing can be written after a head that no body follows.
      if (options?.endStream || hasNoBody(stream, headers)) stream.end();
    };
    stream._write = (chunk, encoding, done) => this.#pass(() => _write.call(stream, chunk, encoding, done));
    if (_writev !== undefined) stream._writev = (chunks, done) => this.#pass(() => _writev.call(stream, chunks, done));
    stream._final = (done) => this.#pass(() => _final.call(stream, done));
    // Whoever asks has begun an answer, and may begin no other.
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
