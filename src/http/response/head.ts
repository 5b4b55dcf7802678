/** What the session adds to the head of a response, for all kinds of responses. Runs in every thread of the host. */

import { refused } from '../options/options.js';
import type { LogoutOptions } from '../options/types.js';

export interface HeadChanges {
  /** A complete Set-Cookie header value. */
  readonly setCookie: string | undefined;
  readonly clearSiteData: string | undefined;
  /** Whether the handler has read the session, so that the response may depend on the cookie. */
  readonly isRead: boolean;
  /** Whether the response is meant for this client only. */
  readonly isPrivate: boolean;
}

/** The session of a request, as the response sees it. */
export interface HeadSource {
  /** Whether no change is pending, so that the head may be sent. */
  readonly isSettled: boolean;
  /** Resolves when no change is pending. Never rejects. */
  settled(): Promise<void>;
  /** What the session adds to the head. Called at the moment at which the head is sent. */
  headChanges(): HeadChanges;
}

/** The headers of a response that has not been sent. */
export interface ResponseHead {
  get(name: string): string | undefined;
  set(name: string, value: string): void;
  append(name: string, value: string): void;
}

/**
 * Adds the session's headers. A response that sets the cookie is never cached. A response that read the session is
 * private, unless the application says otherwise, and varies by cookie.
 */
export function changeHead(head: ResponseHead, { setCookie, clearSiteData, isRead, isPrivate }: HeadChanges): void {
  if (clearSiteData !== undefined) head.set('Clear-Site-Data', clearSiteData);
  if (setCookie !== undefined) {
    head.append('Set-Cookie', setCookie);
    head.set('Cache-Control', 'no-store');
  } else if (isPrivate && head.get('cache-control') === undefined) {
    head.set('Cache-Control', 'private');
  }
  if (setCookie !== undefined || isRead) varyByCookie(head);
}

function varyByCookie(head: ResponseHead): void {
  const vary = head.get('vary')?.trim() ?? '';
  const names = vary === '' ? [] : vary.split(',').map((name) => name.trim().toLowerCase());
  if (names.includes('*') || names.includes('cookie')) return;
  head.set('Vary', vary === '' ? 'Cookie' : `${vary}, Cookie`);
}

const siteData = ['*', 'cache', 'cookies', 'storage', 'executionContexts'];

/** The value of the header Clear-Site-Data; undefined if it is not to be sent. */
export function clearSiteDataOf(option: LogoutOptions['clearSiteData']): string | undefined {
  if (option === undefined || option === false) return undefined;
  const kinds: readonly string[] = option === true ? ['cache', 'cookies', 'storage'] : option;
  if (!Array.isArray(kinds) || kinds.length === 0 || !kinds.every((kind) => siteData.includes(kind)))
    throw refused('clearSiteData', `true, or an array of ${siteData.map((kind) => `'${kind}'`).join(', ')}`);
  return kinds.map((kind) => `"${kind}"`).join(', ');
}
