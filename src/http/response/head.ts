/**
 * What the head of a response says of the session, whatever kind of response it is. Runs in every thread of the host.
 */

import { refused } from '../options/options.js';
import type { LogoutOptions } from '../options/types.js';

export interface HeadChanges {
  /** A complete Set-Cookie header value. */
  readonly setCookie: string | undefined;
  readonly clearSiteData: string | undefined;
  /** Whether the response may differ with the cookie, as its handler has looked at the session. */
  readonly isRead: boolean;
  /** Whether it is for this client only. */
  readonly isPrivate: boolean;
}

/** The session of a request, as far as the response has to know of it. */
export interface HeadSource {
  /** Whether no change is under way, so that the head may go out. */
  readonly isSettled: boolean;
  /** Resolves when no change is under way. Never rejects. */
  settled(): Promise<void>;
  /** What the head says of the session. Asked for in the moment in which it goes out. */
  headChanges(): HeadChanges;
}

/** The headers of a response that is not out yet. */
export interface ResponseHead {
  get(name: string): string | undefined;
  set(name: string, value: string): void;
  append(name: string, value: string): void;
}

/**
 * No cache may keep a response that sets the cookie; one that only looked at the session is for this client alone
 * unless the application says otherwise, and is never answered to another cookie.
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

/** The value of Clear-Site-Data; undefined where it is not asked for. */
export function clearSiteDataOf(option: LogoutOptions['clearSiteData']): string | undefined {
  if (option === undefined || option === false) return undefined;
  const kinds: readonly string[] = option === true ? ['cache', 'cookies', 'storage'] : option;
  if (!Array.isArray(kinds) || kinds.length === 0 || !kinds.every((kind) => siteData.includes(kind)))
    throw refused('clearSiteData', `true, or an array of ${siteData.map((kind) => `'${kind}'`).join(', ')}`);
  return kinds.map((kind) => `"${kind}"`).join(', ');
}
