/** A note: a message that is shown once, on the next page. Runs in the main thread. */

import { takeFlash } from './flash.js';
import { html } from './html.js';
import { type Known, loggedIn } from './known.js';
import { page } from './layout.js';
import { postForm } from './post-form.js';
import { Refusal, type Reply, redirect } from './reply.js';
import type { Routes, Visitor } from './visitor.js';

const NOTE = '/note';
const LONGEST = 200;

export const noteRoutes: Routes = { [NOTE]: { GET: show, POST: leave } };

async function show(visitor: Visitor): Promise<Reply> {
  const known = await loggedIn(visitor.session);
  return { status: 200, body: notePage(known, await takeFlash(visitor)) };
}

async function leave({ form, session }: Visitor): Promise<Reply> {
  session.requireLogin();
  const text = (form.get('text') ?? '').trim();
  if (text === '' || [...text].length > LONGEST)
    throw new Refusal(400, 'No such note', `A note has 1 to ${LONGEST} characters.`);
  await session.set({ flash: text });
  return redirect(NOTE);
}

function notePage(known: Known, notice: string | undefined): string {
  const fields = html`<input id="text" name="text" maxlength="${LONGEST}" required autocomplete="off" placeholder="Do not forget the umbrella"><button>Leave it</button>`;
  return page({
    title: 'A note',
    known,
    thread: 0,
    path: NOTE,
    notice,
    main: html`<h1>${notice === undefined ? 'Leave a note.' : 'Here is your note.'}</h1>
<p class="soft">${
      notice === undefined
        ? 'It is kept in your session, and given to the next page that you see.'
        : 'It has been taken out of your session. Reload, and it is gone.'
    }</p>
<h3><label for="text">For the next page</label></h3>
${postForm(NOTE, known.csrf, fields, 'line')}
<h2>How</h2>
<p>Reading and removing are one step, in whichever thread: of two tabs that look at once, one gets the note.</p>
<br><pre>await request.session.set({ flash: text });     // before the redirect
const flash = await request.session.take('flash');  // on the page after it</pre>`,
  });
}
