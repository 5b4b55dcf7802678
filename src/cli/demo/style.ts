/** The stylesheet of the demo. Pages contain it inline; its hash is in the Content-Security-Policy. */

import { createHash } from 'node:crypto';

export const style = `
:root { color-scheme: light dark;
  --paper: #f4efe4; --card: #fffdf8; --ink: #23201a; --soft: #6d6656; --line: #ddd3bf;
  --felt: #1f4037; --felt-deep: #173029; --on-felt: #f3ead6; --brass: #a87a2c; --brass-light: #d9b26a; --bad: #a3372b; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14191a; --card: #1c2324; --ink: #ece5d6; --soft: #a39c8b; --line: #333c3b;
  --felt: #23493f; --felt-deep: #0f1f1b; --on-felt: #f3ead6; --brass: #d9b26a; --brass-light: #e6c98d; --bad: #e58b7e; } }
* { box-sizing: border-box; margin: 0; }
body { background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif;
  min-height: 100vh; display: flex; flex-direction: column; overflow-wrap: anywhere; }
h1, h2, h3, .brand, .number { font-family: 'Iowan Old Style', 'Palatino Linotype', Palatino, Georgia, 'DejaVu Serif', serif; font-weight: 600; line-height: 1.15; }
h1 { font-size: clamp(2rem, 5vw, 2.7rem); letter-spacing: -.01em; }
h2 { font-size: 1.35rem; margin: 2.75rem 0 1rem; }
h3 { font-size: 1.1rem; }
p { max-width: 62ch; }
h1 + p { margin-top: .5rem; }
p + h3 { margin-top: 1.6rem; }
a { color: inherit; text-decoration-color: var(--brass); text-underline-offset: .2em; }
code, pre { font: .86em/1.7 ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
pre { background: var(--felt-deep); color: var(--on-felt); border-radius: 10px; padding: 1rem 1.25rem; overflow-x: auto; overflow-wrap: normal; }
.soft { color: var(--soft); }
.small { font-size: .875rem; }
.wide { width: min(62rem, 100% - 2.5rem); margin-inline: auto; }
header { background: var(--felt); color: var(--on-felt); border-bottom: 3px solid var(--brass); }
header .wide { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem 1.4rem; padding-block: .8rem; }
.brand { font-size: 1.3rem; text-decoration: none; display: flex; align-items: center; gap: .55rem; margin-inline-end: auto; }
.brand svg { width: 1.7rem; height: 1.7rem; }
header a:not(.brand) { text-decoration: none; opacity: .85; }
header a:hover, header a[aria-current] { opacity: 1; text-decoration: underline; text-decoration-color: var(--brass-light); text-decoration-thickness: 2px; }
main { flex: 1; padding-block: clamp(2rem, 6vw, 3.5rem) 3rem; }
footer { border-top: 1px solid var(--line); color: var(--soft); font-size: .875rem; }
footer .wide { display: flex; flex-wrap: wrap; gap: .4rem 1.5rem; justify-content: space-between; padding-block: 1.1rem; }
.hero { display: grid; gap: 2rem 3.5rem; align-items: center; }
@media (min-width: 50rem) { .hero { grid-template-columns: 1.15fr 1fr; } }
.hero > div:first-child p { margin-top: 1rem; font-size: 1.1rem; }
.line + p { margin-top: .7rem; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(16rem, 100%), 1fr)); padding: 0; list-style: none; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.2rem 1.3rem; }
.card p { margin-top: .4rem; color: var(--soft); font-size: .94rem; }
a.card { text-decoration: none; display: block; height: 100%; transition: border-color .15s, translate .15s; }
a.card:hover { border-color: var(--brass); translate: 0 -2px; }
.ticket { display: grid; grid-template-columns: auto 1fr; filter: drop-shadow(0 1px 0 var(--line)) drop-shadow(0 8px 18px rgb(0 0 0 / .09)); }
.stub, .body { --notch-top: radial-gradient(circle .55rem at var(--side) 0, #0000 98%, #000); --notch-bottom: radial-gradient(circle .55rem at var(--side) 100%, #0000 98%, #000); }
.ticket + .ticket { margin-top: 1rem; }
.stub { background: var(--felt); color: var(--on-felt); border-radius: 14px 0 0 14px; padding: 1.1rem; width: clamp(5.6rem, 18vw, 7.6rem); display: grid; place-content: center; text-align: center;
  mask: var(--notch-top) 100% 0 / 100% 51% no-repeat, var(--notch-bottom) 100% 100% / 100% 51% no-repeat; --side: 100%; }
.stub small { text-transform: uppercase; letter-spacing: .14em; font-size: .64rem; opacity: .8; }
.number { white-space: nowrap; font-size: 1.55rem; letter-spacing: .02em; color: var(--brass-light); }
.body { background: var(--card); border-radius: 0 14px 14px 0; padding: 1.15rem 1.4rem; border-inline-start: 2px dashed var(--line);
  mask: var(--notch-top) 0 0 / 100% 51% no-repeat, var(--notch-bottom) 0 100% / 100% 51% no-repeat; --side: 0; display: flex; flex-wrap: wrap; align-items: center; gap: .8rem 1.2rem; min-width: 0; }
.body > div { flex: 1 1 15rem; min-width: 0; }
.here .stub { background: var(--brass); }
.here .number { color: #fff; }
@media (prefers-color-scheme: dark) { .here .number, .here .stub { color: #14191a; } }
.facts { display: grid; grid-template-columns: auto 1fr; gap: .2rem 1.1rem; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; }
form.line { display: flex; flex-wrap: wrap; gap: .6rem; margin-top: .7rem; max-width: 40rem; }
input { flex: 1 1 11rem; min-width: 0; font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: 9px; padding: .6rem .8rem; }
button { font: inherit; font-weight: 600; cursor: pointer; border-radius: 9px; padding: .6rem 1.1rem; border: 1px solid transparent; background: var(--felt); color: var(--on-felt); }
button:hover { filter: brightness(1.15); }
button.quiet { background: none; border-color: var(--line); color: var(--bad); font-weight: 500; padding: .45rem .9rem; }
button.link { background: none; border: 0; padding: 0; font-weight: 400; opacity: .85; }
button.link:hover { opacity: 1; text-decoration: underline; text-decoration-color: var(--brass-light); text-underline-offset: .2em; }
:focus-visible { outline: 2px solid var(--brass); outline-offset: 2px; }
.notice { border-inline-start: 4px solid var(--brass); background: var(--card); padding: .7rem 1rem; border-radius: 0 9px 9px 0; margin-bottom: 1.75rem; max-width: none; }
.row { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .8rem; margin-bottom: 1.5rem; }
.thread { display: inline-block; border-radius: 99px; padding: .05rem .65rem; font-size: .85rem; font-weight: 600; white-space: nowrap; color: #fff; background: #5b6169; }
.t1 { background: #2f6f9f; } .t2 { background: #8a4f7d; } .t3 { background: #3f7a4b; } .t4 { background: #a0552e; }
.t5 { background: #5a57a6; } .t6 { background: #86701f; } .t7 { background: #2b7a78; } .t8 { background: #a23f55; }
.served { display: flex; flex-wrap: wrap; align-items: baseline; gap: .5rem 1rem; margin-top: 1.3rem; }
.served > :last-child { flex: 1 1 18rem; max-width: 46rem; }
.served .thread { font-size: 1.3rem; padding: .2rem 1.1rem; }
.alive, .over { font: 600 1.15rem/1.4 system-ui, sans-serif; margin-top: 1.3rem; }
.alive::before, .over::before { content: ''; display: inline-block; width: .7rem; height: .7rem; border-radius: 99px; margin-inline-end: .6rem; background: #3f9a5b; }
.over { color: var(--bad); }
.over::before { background: var(--bad); }
.trail { list-style: none; padding: 0; display: grid; gap: .45rem; }
.trail .thread { justify-self: start; }
.trail li { display: grid; grid-template-columns: 6.4rem 1fr auto; gap: .8rem; align-items: baseline; border-bottom: 1px solid var(--line); padding-bottom: .45rem; }
`;

/** For `style-src` of the Content-Security-Policy. */
export const styleSource = `'sha256-${createHash('sha256').update(style).digest('base64')}'`;
