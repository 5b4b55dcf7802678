/** The page of a room. Used in the pool's threads. */

import { html } from './html.js';
import { ago, page, threadBadge } from './layout.js';
import { type Room, rooms, type Visits } from './visits.js';

export interface RoomView {
  readonly room: Room;
  readonly thread: number;
  /** Microseconds that looking the session up took. */
  readonly lookup: number;
  /** Undefined without a live session. */
  readonly visitor: { readonly user: string; readonly data: Readonly<Visits> } | undefined;
  /** The CSRF token for the forms of the page. */
  readonly csrf: string | undefined;
}

export function roomPage({ room, thread, lookup, visitor, csrf }: RoomView): string {
  const others = rooms.filter((other) => other !== room);
  return page({
    title: room.title,
    known: visitor === undefined || csrf === undefined ? undefined : { user: visitor.user, csrf },
    thread,
    path: `/page/${room.name}`,
    main: html`<h1>${room.title}</h1>
<p class="soft">${room.text}</p>
<p class="served">${threadBadge(thread)} <span>of the pool rendered this page. It looked your session up by itself, in ${lookup.toFixed(0)} µs, and sent no message for it.</span></p>
${visitor === undefined ? strangerPart() : visitorPart(visitor.data)}
<h2>Walk on</h2>
<ul class="cards">${others.map(({ name, title, text }) => html`<li><a class="card" href="/page/${name}"><h3>${title}</h3><p>${text}</p></a></li>`)}</ul>`,
  });
}

function strangerPart() {
  return html`<h2>You have no ticket</h2>
<p>No live session belongs to your cookie, so nothing is counted. <a href="/">Hand in your name</a>, and come back.</p>`;
}

function visitorPart({ visits, trail }: Readonly<Visits>) {
  return html`<h2>${visits === 1 ? 'Your first visit' : `${visits} visits so far`}</h2>
<p class="soft small">Counted in your session, by whichever thread rendered the page. Reload, and the next one goes on counting.</p>
<br>
<ol class="trail">${trail.map(
    ({ room, thread, at }) =>
      html`<li>${threadBadge(thread)}<span>${rooms.find(({ name }) => name === room)?.title ?? room}</span><span class="soft small">${ago(at)}</span></li>`,
  )}</ol>`;
}
