/** The front page, before and after a login, and the page of an error. Runs in the main thread. */

import type { ManagerStats, Session } from '../../index.js';
import { type Html, html } from './html.js';
import { ideas } from './ideas.js';
import type { Known } from './known.js';
import { ago, page } from './layout.js';
import { postForm } from './post-form.js';
import { stub } from './ticket.js';
import type { Visits } from './visits.js';

const MAIN_THREAD = 0;

/** The front page before a login. Its form has no CSRF token, as that would create a session for every visitor. */
export function welcomePage(view: { host: string; notice?: string | undefined; stats: ManagerStats }): string {
  const fields = html`<input id="user" name="user" maxlength="64" required autofocus autocomplete="username" placeholder="Ada"><button>Log in</button>`;
  return page({
    title: 'Welcome',
    known: undefined,
    thread: MAIN_THREAD,
    notice: view.notice,
    main: html`<div class="hero">
<div><h1>Hand in your name,<br>get a ticket.</h1>
<p>One thread keeps the cloakroom. Every other thread sees at a glance whether your ticket is good.</p></div>
<div class="ticket"><div class="stub"><small>Admit</small><span class="number">One</span></div><div class="body"><div>
<h3><label for="user">Your name</label></h3>
${postForm('/login', undefined, fields, 'line')}
<p class="soft small">No password: this is a demo.</p>
</div></div></div>
</div>
<h2>What happens here</h2>
<ul class="cards">
<li class="card"><h3>Log in</h3><p>The main thread asks the manager thread for a session. Only there are sessions made, changed and ended, one call at a time.</p></li>
<li class="card"><h3>Walk about</h3><p>A pool of threads renders the rooms. Each finds your session in shared memory, by your cookie, without asking anybody.</p></li>
<li class="card"><h3>Log out elsewhere</h3><p>See your devices, end one or all others: the moment it is done, they are logged out in every thread.</p></li>
</ul>
<h2>Or with curl</h2>
<pre>curl -c jar -d user=Ada http://${view.host}/login
curl -b jar http://${view.host}/page/foyer</pre>
${numbers(view.stats)}`,
  });
}

interface TicketView {
  readonly session: Session<Visits>;
  readonly known: Known;
  readonly notice: string | undefined;
  readonly stats: ManagerStats;
}

/** The front page after a login: the user's ticket. */
export function ticketPage({ session, known, notice, stats }: TicketView): string {
  const { visits } = session.data;
  return page({
    title: 'Your ticket',
    known,
    thread: MAIN_THREAD,
    path: '/',
    notice,
    main: html`<div class="hero">
<div><h1>Welcome, <bdi>${known.user}</bdi>.</h1>
<p>${visits === 0 ? 'Your coat is on its hook. Have a look around the house.' : `You have looked around ${visits === 1 ? 'once' : `${visits} times`} so far.`}</p></div>
<div class="ticket here">${stub(session)}<div class="body"><dl class="facts">
<dt>Logged in</dt><dd>${ago(session.authenticatedAt ?? session.createdAt)}</dd>
<dt>Visits</dt><dd>${visits}</dd>
<dt>Ends</dt><dd>${session.expiresAt === undefined ? 'never' : `${session.expiresAt.toISOString().slice(11, 16)} UTC, if you stay away`}</dd>
</dl></div></div>
</div>
<h2>What to try</h2>
<ul class="cards">${ideas.map(({ path, name, text }) => html`<li><a class="card" href="${path}"><h3>${name}</h3><p>${text}</p></a></li>`)}</ul>
${numbers(stats)}`,
  });
}

/** The page of a refusal or an error. */
export function messagePage(title: string, text: string): string {
  return page({
    title,
    known: undefined,
    thread: MAIN_THREAD,
    main: html`<h1>${title}</h1><br><p>${text}</p><br><p><a href="/">Back to the cloakroom</a></p>`,
  });
}

function numbers({ sessions, connections, calls }: ManagerStats): Html {
  return html`<h2>The cloakroom now</h2>
<dl class="facts"><dt>Live sessions</dt><dd>${sessions}</dd><dt>Threads connected</dt><dd>${connections}</dd>
<dt>Calls served</dt><dd>${calls.count}, half of them within ${calls.p50.toFixed(0)} µs</dd></dl>`;
}
