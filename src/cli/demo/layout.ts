/** The layout of all pages of the demo. Used in the main thread and in the pool's. */

import { constant, type Html, html, markupOf } from './html.js';
import { ideas } from './ideas.js';
import type { Known } from './known.js';
import { postForm } from './post-form.js';
import { style } from './style.js';

export interface Frame {
  readonly title: string;
  /** Undefined if nobody is logged in. */
  readonly known: Known | undefined;
  /** The thread that rendered the page. */
  readonly thread: number;
  /** The path of the page, if it is in the menu. */
  readonly path?: string;
  /** A message about what has just happened. */
  readonly notice?: string | undefined;
  readonly main: Html;
  /** The script of the page: a constant, whose hash the Content-Security-Policy has to contain. */
  readonly script?: Html;
}

const inlineStyle = constant(`<style>${style}</style>`);

const mark = constant(
  '<svg viewBox="0 0 32 32" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M16 12V9.5a3.2 3.2 0 1 0-3.2-3.2"/><path d="M16 12 3.6 20.6c-1.5 1-.8 3.4 1 3.4h22.8c1.8 0 2.5-2.4 1-3.4Z"/></svg>',
);

const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='7' fill='%231f4037'/%3E%3Cpath d='M16 14v-2a3 3 0 1 0-3-3M16 14 6 21c-1.2 1-.6 3 .8 3h18.4c1.4 0 2-2 .8-3Z' fill='none' stroke='%23d9b26a' stroke-width='2' stroke-linecap='round' stroke-linejoin='round'/%3E%3C/svg%3E";

/** A complete HTML document. */
export function page({ title, known, thread, path, notice, main, script }: Frame): string {
  return markupOf(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · coatcheck</title>
<link rel="icon" href="${icon}">
${inlineStyle}
</head>
<body>
<header><div class="wide">
<a class="brand" href="/">${mark}coatcheck</a>
${known === undefined ? undefined : menu(known, path)}
</div></header>
<main class="wide">
${notice === undefined ? undefined : html`<p class="notice" role="status">${notice}</p>`}
${main}
</main>
<footer><div class="wide">
<span>Rendered by ${threadBadge(thread)}</span>
<span>A demo: any name will do, nothing is kept, Ctrl-C ends it all.</span>
</div></footer>
${script}
</body>
</html>
`);
}

/** A thread has the same colour on all pages. Thread 0 is the main thread. */
export function threadBadge(thread: number): Html {
  return html`<span class="thread t${thread === 0 ? 0 : ((thread - 1) % 8) + 1}">${thread === 0 ? 'the main thread' : `thread ${thread}`}</span>`;
}

/** How long ago, roughly; the tooltip shows the exact time. */
export function ago(at: Date, now: Date = new Date()): Html {
  return html`<time datetime="${at.toISOString()}" title="${at.toISOString()}">${roughly(now.getTime() - at.getTime())}</time>`;
}

function roughly(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 5) return 'just now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return `${Math.floor(seconds / 3600)} h ago`;
}

function menu({ user, csrf }: Known, path: string | undefined): Html {
  return html`${item('/', 'Your ticket', path)}${ideas.map(({ path: to, name }) => item(to, name, path))}
${postForm('/logout', csrf, html`<button class="link">Log out <bdi>${user}</bdi></button>`)}`;
}

function item(href: string, text: string, path: string | undefined): Html {
  return html`<a href="${href}"${href === path ? constant(' aria-current="page"') : undefined}>${text}</a>`;
}
