/** The sockets of the live page: each is closed when its session ends, in any thread. Runs in the main thread. */

import { addAbortListener } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { sessionOf } from '../../http/express.js';
import { type Session, SessionError, type SessionManager } from '../../index.js';
import { SESSION_ENDED, SOCKET_PATH } from './live-script.js';
import { isForeignOrigin, isLocalHost } from './origin.js';
import type { Visits } from './visits.js';

/** The number of open sockets, of all visitors. */
const MOST_SOCKETS = 256;
/** Milliseconds between two messages. */
const BEAT = 1000;
/** What clients send is ignored. */
const LONGEST_MESSAGE = 1024;
/** WebSocket's close code for an endpoint that goes away. */
const GOING_AWAY = 1001;

const ignore = (): void => undefined;

export class LiveSockets {
  readonly #manager: SessionManager<Visits>;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: LONGEST_MESSAGE });

  constructor(manager: SessionManager<Visits>, server: Server) {
    this.#manager = manager;
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      // Until the socket is handed over it has no other listener, and a broken connection would end the process.
      socket.on('error', ignore);
      this.#accept(request, socket, head).catch(() => refuse(socket, '503 Service Unavailable'));
    });
  }

  /** Closes all sockets by the protocol. */
  close(): void {
    for (const socket of this.#sockets.clients) socket.close(GOING_AWAY);
  }

  /** Closes all sockets at once. */
  terminate(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
  }

  async #accept(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    if (!isLocalHost(request.headers.host)) return refuse(socket, '421 Misdirected Request');
    if (request.url !== SOCKET_PATH) return refuse(socket, '404 Not Found');
    if (isForeignOrigin(request.headers)) return refuse(socket, '403 Forbidden');
    if (this.#sockets.clients.size >= MOST_SOCKETS) return refuse(socket, '503 Service Unavailable');
    const session = await sessionOf(this.#manager, request);
    if (session?.userId === undefined) return refuse(socket, '401 Unauthorized');
    this.#sockets.handleUpgrade(request, socket, head, (opened) => hang(opened, session));
  }
}

function hang(socket: WebSocket, session: Session<Visits>): void {
  const { signal } = session;
  // Called at once if the session has ended already.
  const listening = addAbortListener(signal, () => socket.close(SESSION_ENDED, String(signal.reason)));
  const beat = setInterval(() => tell(socket, session), BEAT);
  socket.on('error', ignore);
  socket.on('close', () => {
    clearInterval(beat);
    listening[Symbol.dispose]();
  });
  tell(socket, session);
}

/** Reads shared memory, which does not mark the session as seen: an open page keeps no session alive. */
function tell(socket: WebSocket, session: Session<Visits>): void {
  try {
    const { visits } = session.data;
    socket.send(JSON.stringify({ time: `${new Date().toISOString().slice(11, 19)} UTC`, visits }));
  } catch (error) {
    // The session has just ended: the signal closes the socket.
    if (!(error instanceof SessionError && error.code === 'ERR_SESSION_ENDED')) throw error;
  }
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
