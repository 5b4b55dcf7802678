/**
 * The page of a user's devices: all live sessions of the user, each of which can be ended from any other. Runs in the
 * main thread.
 */

import type { Session, SessionInfo } from '../../index.js';
import { deviceName } from './device-name.js';
import { takeFlash } from './flash.js';
import { type Html, html } from './html.js';
import { type Known, loggedIn } from './known.js';
import { ago, page } from './layout.js';
import { postForm } from './post-form.js';
import { Refusal, type Reply, redirect, toFrontDoor } from './reply.js';
import { stub } from './ticket.js';
import type { Routes, Visitor } from './visitor.js';
import type { Visits } from './visits.js';

const DEVICES = '/devices';
/** The number of sessions that one user may have in the demo. */
const MOST_OTHERS = 50;

export const deviceRoutes: Routes = {
  [DEVICES]: { GET: show },
  [`${DEVICES}/revoke`]: { POST: revoke },
  [`${DEVICES}/revoke-others`]: { POST: revokeOthers },
};

async function show(visitor: Visitor): Promise<Reply> {
  const { session } = visitor;
  const known = await loggedIn(session);
  const { current } = session;
  const others = await session.listOthers({ limit: MOST_OTHERS });
  const notice = await takeFlash(visitor);
  if (current === undefined) return toFrontDoor();
  return { status: 200, body: devicesPage({ known, current, others: byLastSeen(others), notice }) };
}

async function revoke({ form, session }: Visitor): Promise<Reply> {
  session.requireLogin();
  const id = form.get('id');
  if (id === session.id) {
    await session.logout({ note: 'logged out' });
    return redirect('/');
  }
  // An id is no secret: the adapter ends only sessions of the same user.
  if (!(await session.closeOther(id)))
    throw new Refusal(404, 'No such device', 'None of your live sessions has this id.');
  return told(session, 1);
}

async function revokeOthers({ session }: Visitor): Promise<Reply> {
  session.requireLogin();
  return told(session, await session.closeOthers());
}

async function told(session: Visitor['session'], ended: number): Promise<Reply> {
  const others = ended === 1 ? 'One other device is' : `${ended} other devices are`;
  if (ended > 0) await session.set({ flash: `${others} logged out.` });
  return redirect(DEVICES);
}

function byLastSeen(devices: readonly SessionInfo[]): SessionInfo[] {
  return devices.toSorted((a, b) => b.lastSeenAt.getTime() - a.lastSeenAt.getTime());
}

interface DevicesView {
  readonly known: Known;
  readonly current: Session<Visits>;
  readonly others: readonly SessionInfo[];
  readonly notice: string | undefined;
}

function devicesPage({ known, current, others, notice }: DevicesView): string {
  const everywhereElse = postForm(
    `${DEVICES}/revoke-others`,
    known.csrf,
    html`<button>Log out everywhere else</button>`,
  );
  return page({
    title: 'Your devices',
    known,
    thread: 0,
    path: DEVICES,
    notice,
    main: html`<div class="row"><h1>Your devices</h1>
${others.length === 0 ? undefined : everywhereElse}</div>
<p class="soft">${
      others.length === 0
        ? 'You are logged in here only. Log in under the same name from another browser, and it will show up.'
        : `You are logged in ${others.length + 1} times. Whatever you end here is ended in every thread, at once.`
    }</p>
<br>
${ticket(current, known, true)}${others.map((other) => ticket(other, known, false))}`,
  });
}

function ticket(device: SessionInfo, { csrf }: Known, here: boolean): Html {
  const name = deviceName(device.client.userAgent);
  const button = html`<input type="hidden" name="id" value="${device.id}"><button class="quiet" aria-label="Log out ${name}">Log out</button>`;
  return html`<article class="ticket${here ? ' here' : ''}">${stub(device)}<div class="body"><div>
<h3>${name}${here ? ', this one' : ''}</h3>
<p class="soft small">Seen ${ago(device.lastSeenAt)}, logged in ${ago(device.authenticatedAt ?? device.createdAt)}, from ${device.client.ip ?? 'an unknown address'}</p>
<p class="soft small">${device.client.userAgent}</p>
</div>${postForm(`${DEVICES}/revoke`, csrf, button)}</div></article>`;
}
