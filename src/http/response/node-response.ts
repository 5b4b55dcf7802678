/**
 * Hooks the moment at which the head of a node:http response is sent. Runs in every thread of the host.
 *
 * Every head goes through `writeHead`, also that of a response which never calls it. If changes are pending then, the
 * bytes of the answer wait for them: see `held-answer.ts`.
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
  /** The method before it was replaced: Node's, or that of an earlier middleware. Undefined until `install`. */
  #writeHead: WriteHead | undefined;
  #cookieSent: string | undefined;

  constructor(response: ServerResponse, session: HeadSource) {
    this.#response = response;
    this.#session = session;
  }

  /** Makes the head wait for the session's changes and carry its headers. False if the head has been sent. */
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

  /** A response that cannot wait has only what is known by now. The cookie of a later change is lost. */
  async #warnOfLoss(): Promise<void> {
    await this.#session.settled();
    const { setCookie } = this.#session.headChanges();
    if (setCookie === undefined || setCookie === this.#cookieSent) return;
    const text =
      'A response that belongs to no connection went out before its session was changed, and without the cookie';
    process.emitWarning(`${text}: let the handler wait for the change`, 'CoatcheckWarning');
  }

  /** Adds the session's headers, and returns the arguments that are left for `writeHead`. */
  #withSession(args: unknown[]): unknown[] {
    const changes = this.#session.headChanges();
    const isSilent = changes.setCookie === undefined && changes.clearSiteData === undefined && !changes.isRead;
    if (isSilent && this.#cookieSent === undefined) return args;
    const rest = setHeaders(this.#response, args);
    const head = new NodeHead(this.#response);
    // A head that Node refused, for a bad status for example, is made again.
    if (this.#cookieSent !== undefined) head.remove('Set-Cookie', this.#cookieSent);
    this.#cookieSent = changes.setCookie;
    changeHead(head, changes);
    return rest;
  }
}
