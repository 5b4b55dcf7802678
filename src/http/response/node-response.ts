/**
 * The moment in which the head of a node:http response goes out, which is told what to say of the session.
 * Runs in every thread of the host.
 *
 * Every head comes by `writeHead`, that of a response which never calls it included. Where changes are under way then,
 * the bytes of the answer wait for them: see `held-answer.ts`.
 */

import type { ServerResponse } from 'node:http';
import { changeHead, type HeadSource } from './head.js';
import { renderHeld } from './held-answer.js';
import { NodeHead } from './response-heads.js';
import { setHeaders } from './write-head.js';

type WriteHead = (...args: unknown[]) => ServerResponse;

export class HeadHook {
  readonly #response: ServerResponse;
  readonly #session: HeadSource;
  /** As it was before: that of Node, or of a middleware that came before. Undefined while the head is not told. */
  #writeHead: WriteHead | undefined;
  #cookieSent: string | undefined;

  constructor(response: ServerResponse, session: HeadSource) {
    this.#response = response;
    this.#session = session;
  }

  /** Has the head tell of the session, and wait for its changes. False if it is out already. */
  install(): boolean {
    const response = this.#response;
    if (this.#writeHead !== undefined) return true;
    if (response.headersSent) return false;
    this.#writeHead = response.writeHead as WriteHead;
    response.writeHead = (...args: unknown[]) => this.#render(args);
    return true;
  }

  #render(args: unknown[]): ServerResponse {
    const response = this.#response;
    const session = this.#session;
    if (response.headersSent) return this.#writeOut(args);
    if (session.isSettled) return this.#writeOut(this.#withSession(args));
    if (renderHeld(response, session, () => this.#writeOut(setHeaders(response, args)))) return response;
    void this.#warnOfLoss();
    return this.#writeOut(this.#withSession(args));
  }

  #writeOut(args: unknown[]): ServerResponse {
    return Reflect.apply(this.#writeHead as WriteHead, this.#response, args);
  }

  /** A response that cannot wait tells what is known by now. The cookie of a change that is done later is lost. */
  async #warnOfLoss(): Promise<void> {
    await this.#session.settled();
    const { setCookie } = this.#session.headChanges();
    if (setCookie === undefined || setCookie === this.#cookieSent) return;
    const text =
      'A response that belongs to no connection went out before its session was changed, and without the cookie';
    process.emitWarning(`${text}: let the handler wait for the change`, 'CoatcheckWarning');
  }

  /** Adds to the head what is to be said of the session, and returns what `writeHead` is left with. */
  #withSession(args: unknown[]): unknown[] {
    const changes = this.#session.headChanges();
    const isSilent = changes.setCookie === undefined && changes.clearSiteData === undefined && !changes.isRead;
    if (isSilent && this.#cookieSent === undefined) return args;
    const rest = setHeaders(this.#response, args);
    const head = new NodeHead(this.#response);
    // A head that was refused, for a bad status say, is told anew.
    if (this.#cookieSent !== undefined) head.remove('Set-Cookie', this.#cookieSent);
    this.#cookieSent = changes.setCookie;
    changeHead(head, changes);
    return rest;
  }
}
