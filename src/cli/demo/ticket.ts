/** The stub of a ticket, which shows a session. Runs in the main thread. */

import type { SessionInfo } from '../../index.js';
import { type Html, html } from './html.js';

/** The id opens nothing, so a part of it may be shown. */
export function stub({ id }: Pick<SessionInfo, 'id'>): Html {
  return html`<div class="stub"><small>Ticket</small><span class="number">${id.slice(-4)}</span></div>`;
}
