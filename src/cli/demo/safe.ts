/**
 * The safe: a page that needs a recent login, and otherwise asks for another one (step-up authentication). Runs in the
 * main thread.
 */

import { HttpRefusal } from '../../http/express.js';
import { takeFlash } from './flash.js';
import { html } from './html.js';
import { type Known, loggedIn } from './known.js';
import { page } from './layout.js';
import { postForm } from './post-form.js';
import type { Reply } from './reply.js';
import type { Routes, Visitor } from './visitor.js';

export const SAFE = '/safe';

/** Short, so that it can be tried without a long wait. */
const WITHIN = '1m';

export const safeRoutes: Routes = { [SAFE]: { GET: show } };

async function show(visitor: Visitor): Promise<Reply> {
  const { session } = visitor;
  const known = await loggedIn(session);
  try {
    session.requireLogin({ within: WITHIN });
  } catch (error) {
    if (error instanceof HttpRefusal && error.code === 'ERR_LOGIN_TOO_OLD')
      return { status: error.status, body: closedPage(known) };
    throw error;
  }
  return { status: 200, body: openPage(known, await takeFlash(visitor)) };
}

const call = html`<pre>request.session.requireLogin({ within: '${WITHIN}' })</pre>`;

function openPage(known: Known, notice: string | undefined): string {
  return page({
    title: 'The safe',
    known,
    thread: 0,
    path: SAFE,
    notice,
    main: html`<h1>The safe is open.</h1>
<p class="soft">In it: one pocket watch, two theatre glasses, and a ring.</p>
<h2>Why you are let in</h2>
<p>You have logged in within the last minute. Come back later than that, and you are asked to log in again, though your session is as good as before.</p>
<br>${call}`,
  });
}

/** If the same user logs in, the session stays: it gets a new token and a new time of login. */
function closedPage(known: Known): string {
  const fields = html`<input type="hidden" name="next" value="${SAFE}"><input name="user" value="${known.user}" readonly aria-label="Your name"><button>Log in again</button>`;
  return page({
    title: 'Log in again',
    known,
    thread: 0,
    path: SAFE,
    main: html`<h1>The safe is closed.</h1>
<p class="soft">It opens only to whoever has logged in within the last minute. That is longer ago for you. Is it still you?</p>
<br>${postForm('/login', known.csrf, fields, 'line')}
<h2>What happened</h2>
<p>This threw a refusal of status 401, ERR_LOGIN_TOO_OLD. A real site would ask for your password now.</p>
<br>${call}`,
  });
}
