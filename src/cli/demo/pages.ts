/** The pages that the main thread renders. */

import type { ManagerStats, Session, SessionInfo } from '../../index.js';
import { deviceName } from './device-name.js';
import { type Html, html } from './html.js';
import { ago, page } from './layout.js';
import { rooms, type Visits } from './visits.js';

const MAIN_THREAD = 0;

/** The page of whoever is not logged in. */
export function welcomePage(view: { origin: string; notice?: string | undefined; stats: ManagerStats }): string {
  return page({
    title: 'Welcome',
    user: undefined,
    thread: MAIN_THREAD,
    main: html`${notice(view.notice)}
<div class="hero">
<div><h1>Hand in your name,<br>get a ticket.</h1>
<p>One thread keeps the cloakroom. Every other thread sees at a glance whether your ticket is good.</p></div>
<div class="ticket"><div class="stub"><small>Admit</small><span class="number">One</span></div><div class="body"><div>
<h3><label for="user">Your name</label></h3>
<form class="login" method="post" action="/login"><input id="user" name="user" maxlength="64" required autofocus autocomplete="username" placeholder="Ada"><button>Log in</button></form>
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
<pre>curl -c jar -d user=Ada ${view.origin}/login
curl -b jar ${view.origin}/page/foyer</pre>
${numbers(view.stats)}`,
  });
}

/** The page of whoever is: their ticket. */
export function ticketPage(view: {
  session: Session<Visits>;
  notice?: string | undefined;
  stats: ManagerStats;
}): string {
  const { session } = view;
  const { visits } = session.data;
  return page({
    title: 'Your ticket',
    user: session.userId,
    thread: MAIN_THREAD,
    path: '/',
    main: html`${notice(view.notice)}
<div class="hero">
<div><h1>Welcome, <bdi>${session.userId}</bdi>.</h1>
<p>${visits === 0 ? 'Your coat is on its hook. Have a look around the house.' : `You have looked around ${visits === 1 ? 'once' : `${visits} times`} so far.`}</p></div>
<div class="ticket here">${stub(session)}<div class="body"><dl class="facts">
<dt>Logged in</dt><dd>${ago(session.authenticatedAt ?? session.createdAt)}</dd>
<dt>Visits</dt><dd>${visits}</dd>
<dt>Ends</dt><dd>${session.expiresAt === undefined ? 'never' : `${session.expiresAt.toISOString().slice(11, 16)} UTC, if you stay away`}</dd>
</dl></div></div>
</div>
<h2>The house</h2>
<ul class="cards">${rooms.map(({ name, title, text }) => html`<li><a class="card" href="/page/${name}"><h3>${title}</h3><p>${text}</p></a></li>`)}</ul>
${numbers(view.stats)}`,
  });
}

/** All live sessions of one user, this one first. */
export function devicesPage(view: {
  session: Session<Visits>;
  devices: readonly SessionInfo[];
  notice?: string | undefined;
}): string {
  const { session, devices } = view;
  return page({
    title: 'Your devices',
    user: session.userId,
    thread: MAIN_THREAD,
    path: '/devices',
    main: html`${notice(view.notice)}
<div class="row"><h1>Your devices</h1>
${
  devices.length < 2
    ? undefined
    : html`<form method="post" action="/devices/revoke-others"><button>Log out everywhere else</button></form>`
}</div>
<p class="soft">${devices.length === 1 ? 'You are logged in here only. Log in under the same name from another browser, and it will show up.' : `You are logged in ${devices.length} times.`}</p>
<br>
${devices.map((device) => ticket(device, device.id === session.id))}`,
  });
}

/** A refusal, or a failure. */
export function messagePage(title: string, text: string): string {
  return page({
    title,
    user: undefined,
    thread: MAIN_THREAD,
    main: html`<h1>${title}</h1><br><p>${text}</p><br><p><a href="/">Back to the cloakroom</a></p>`,
  });
}

function ticket(device: SessionInfo, here: boolean): Html {
  const name = deviceName(device.client.userAgent);
  return html`<article class="ticket${here ? ' here' : ''}">${stub(device)}<div class="body"><div>
<h3>${name}${here ? ', this one' : ''}</h3>
<p class="soft small">Seen ${ago(device.lastSeenAt)}, logged in ${ago(device.authenticatedAt ?? device.createdAt)}, from ${device.client.ip ?? 'an unknown address'}</p>
<p class="soft small">${device.client.userAgent}</p>
</div><form method="post" action="/devices/revoke"><input type="hidden" name="id" value="${device.id}"><button class="quiet" aria-label="Log out ${name}">Log out</button></form></div></article>`;
}

/** The id opens nothing, so a part of it may stand on the ticket. */
function stub({ id }: SessionInfo): Html {
  return html`<div class="stub"><small>Ticket</small><span class="number">${id.slice(-4)}</span></div>`;
}

function notice(text: string | undefined): Html | undefined {
  return text === undefined ? undefined : html`<p class="notice" role="status">${text}</p>`;
}

function numbers({ sessions, connections, calls }: ManagerStats): Html {
  return html`<h2>The cloakroom now</h2>
<dl class="facts"><dt>Live sessions</dt><dd>${sessions}</dd><dt>Threads connected</dt><dd>${connections}</dd>
<dt>Calls served</dt><dd>${calls.count}, half of them within ${calls.p50.toFixed(0)} µs</dd></dl>`;
}
