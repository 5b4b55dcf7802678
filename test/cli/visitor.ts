/** A browser at the demo, as far as cookies and forms go. */

import { expect } from 'vitest';

export interface Answer {
  status: number;
  text: string;
  headers: Headers;
}

export class Visitor {
  cookie: string | undefined;
  readonly #site: string;
  readonly #userAgent: string;

  /** `site` without a slash at its end. */
  constructor(site: string, userAgent = 'curl/8.0') {
    this.#site = site;
    this.#userAgent = userAgent;
  }

  get(path: string): Promise<Answer> {
    return this.#send(path, { method: 'GET' });
  }

  /** As from a form of a page that this visitor was just shown: with the token that stands in it, if one does. */
  async post(path: string, form: Record<string, string> = {}, headers: Record<string, string> = {}): Promise<Answer> {
    const csrf = this.cookie === undefined ? undefined : csrfIn((await this.get('/page/bar')).text);
    return this.postBare(path, csrf === undefined ? form : { csrf, ...form }, headers);
  }

  /** The form as given, and nothing else. */
  postBare(path: string, form: Record<string, string> = {}, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#send(path, { method: 'POST', body: new URLSearchParams(form), headers });
  }

  async login(user: string): Promise<this> {
    expect((await this.post('/login', { user })).headers.get('location')).toBe('/');
    return this;
  }

  /** The ids in the list of devices, this visitor's own first. */
  async devices(): Promise<string[]> {
    const { text } = await this.get('/devices');
    return [...text.matchAll(/name="id" value="([^"]+)"/g)].map(([, id]) => id as string);
  }

  /** Whether the main thread and the pool's know this visitor. */
  async isLoggedIn(): Promise<boolean> {
    const pages = await Promise.all(['/', '/page/foyer', '/page/bar', '/page/stalls'].map((path) => this.get(path)));
    const known = pages.map(({ text }) => text.includes('Log out <bdi>'));
    expect(new Set(known).size).toBe(1);
    return known[0] === true;
  }

  async #send(path: string, init: RequestInit): Promise<Answer> {
    const headers = new Headers(init.headers);
    headers.set('user-agent', this.#userAgent);
    if (this.cookie !== undefined) headers.set('cookie', this.cookie);
    const response = await fetch(this.#site + path, { ...init, headers, redirect: 'manual' });
    const set = response.headers.getSetCookie()[0];
    if (set !== undefined) this.cookie = /Max-Age=0/i.test(set) ? undefined : set.split(';', 1)[0];
    return { status: response.status, text: await response.text(), headers: response.headers };
  }
}

/** The token in the first form of a page. */
export function csrfIn(text: string): string | undefined {
  return /name="csrf" value="([^"]+)"/.exec(text)?.[1];
}

export const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0';
export const chrome =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36';
