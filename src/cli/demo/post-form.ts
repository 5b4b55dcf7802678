/**
 * A form that changes something: none gets by without the session's token. Used in the main thread and in the pool's.
 */

import { type Html, html } from './html.js';

/** The name of its hidden field. */
export const CSRF_FIELD = 'csrf';

/** `csrf` is undefined only for whoever has no session, and so nothing that a forged form could misuse. */
export function postForm(action: string, csrf: string | undefined, content: Html, kind?: 'line'): Html {
  return html`<form method="post" action="${action}"${kind === undefined ? undefined : html` class="${kind}"`}>${
    csrf === undefined ? undefined : html`<input type="hidden" name="${CSRF_FIELD}" value="${csrf}">`
  }${content}</form>`;
}
