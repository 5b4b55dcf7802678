/** A form that changes something, with the session's CSRF token. Used in the main thread and in the pool's. */

import { type Html, html } from './html.js';

/** The name of the hidden field. */
export const CSRF_FIELD = 'csrf';

/** `csrf` is undefined only for a visitor without a session, which a forged form could not misuse. */
export function postForm(action: string, csrf: string | undefined, content: Html, kind?: 'line'): Html {
  return html`<form method="post" action="${action}"${kind === undefined ? undefined : html` class="${kind}"`}>${
    csrf === undefined ? undefined : html`<input type="hidden" name="${CSRF_FIELD}" value="${csrf}">`
  }${content}</form>`;
}
