/** The live page: shows what its WebSocket receives, and that it was closed. Runs in the main thread. */

import { html } from './html.js';
import { type Known, loggedIn } from './known.js';
import { page } from './layout.js';
import { script, scriptSource } from './live-script.js';
import { contentPolicy, type Reply } from './reply.js';
import type { Routes, Visitor } from './visitor.js';

const LIVE = '/live';

export const liveRoutes: Routes = { [LIVE]: { GET: show } };

/** The only page with a script: its policy allows that script, and a socket to this site. */
async function show({ session, host }: Visitor): Promise<Reply> {
  const known = await loggedIn(session);
  const headers = contentPolicy(`script-src ${scriptSource}`, `connect-src ws://${host}`);
  return { status: 200, body: livePage(known), headers };
}

function livePage(known: Known): string {
  return page({
    title: 'Live',
    known,
    thread: 0,
    path: LIVE,
    main: html`<h1>Live</h1>
<p class="soft">This page has a WebSocket that hangs on your session’s signal. Leave it open, and log this browser out from another one, or in another tab.</p>
<p id="state" class="alive" role="status">Connecting …</p>
<noscript><p>This page needs a script to open its socket.</p></noscript>
<br>
<dl class="facts"><dt>Time</dt><dd id="time">–</dd><dt>Visits</dt><dd id="visits">–</dd></dl>
<p class="soft small">Both are sent once a second. The visits are counted by the threads of the pool, and read from shared memory: walk about in another tab, and see them rise.</p>
<p id="again" hidden><br><a href="/">Log in again</a></p>
<h2>How</h2>
<pre>const session = await sessionOf(sessions, request);  // at the upgrade
addAbortListener(session.signal, () =&gt; socket.close());</pre>`,
    script,
  });
}
