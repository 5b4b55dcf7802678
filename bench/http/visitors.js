/**
 * So many visitors at once, each with a connection and a cookie: each asks again as soon as it is answered. Nothing but
 * sockets, so that the client takes little of the machine. They stay awake as long as anything is asked: to wake who
 * sleeps costs the site that answers, and the more the longer it has let them sleep.
 */

import { once } from 'node:events';
import { connect } from 'node:net';

export class Visitors {
  #sockets;
  #left = 0;
  #pending = 0;
  #isOver = false;
  #finished = () => {};

  /** `body` is what each answer has to be. */
  static async come(port, cookies, body) {
    const sockets = cookies.map((cookie) => ({
      socket: connect(port, '127.0.0.1').setNoDelay(true).setEncoding('latin1'),
      request: `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: keep-alive\r\nCookie: ${cookie}\r\n\r\n`,
    }));
    await Promise.all(sockets.map(({ socket }) => once(socket, 'connect')));
    return new Visitors(sockets, body);
  }

  constructor(sockets, body) {
    this.#sockets = sockets;
    for (const { socket, request } of sockets) {
      let heard = '';
      socket.on('close', (hadError) => {
        if (!this.#isOver) throw new Error(`a site hung up${hadError ? ', by an error' : ''}`);
      });
      socket.on('data', (chunk) => {
        heard = heard === '' ? chunk : heard + chunk;
        if (!heard.endsWith(`\r\n\r\n${body}`)) return;
        if (!heard.startsWith('HTTP/1.1 200 ')) throw new Error(heard);
        heard = '';
        this.#pending--;
        this.#ask(socket, request);
      });
    }
  }

  /** Resolves when `count` requests are answered. */
  async ask(count) {
    this.#left = count;
    const done = new Promise((resolve) => {
      this.#finished = resolve;
    });
    for (const { socket, request } of this.#sockets) this.#ask(socket, request);
    let isDone = false;
    const stayAwake = () => isDone || setImmediate(stayAwake);
    stayAwake();
    await done;
    isDone = true;
  }

  #ask(socket, request) {
    if (this.#left > 0) {
      this.#left--;
      this.#pending++;
      socket.write(request);
    } else if (this.#pending === 0) {
      this.#finished();
    }
  }

  leave() {
    this.#isOver = true;
    for (const { socket } of this.#sockets) socket.destroy();
  }
}
