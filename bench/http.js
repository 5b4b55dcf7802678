/**
 * What does a session cost a site of Express? 32 connections and a handler that reads the session: coatcheck's
 * middleware beside express-session with its MemoryStore, and beside no session at all. `npm run bench:http`, or with
 * other numbers of rounds and of requests a turn: `npm run bench:http -- 60 1500`.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { shopData } from './data.js';
import { Visitors } from './http/visitors.js';
import { ratios, spread } from './rounds.js';

const CONNECTIONS = 32;
const LEAST_RATE = Number.parseInt(process.versions.node, 10) < 24 ? 1.3 : 1.5;
const MOST_CPU = 1.25;
/** Requests to each site before anything is measured. */
const WARMING_UP = 15_000;

const [rounds, count] = [Number(process.argv[2] ?? 60), Number(process.argv[3] ?? 1500)];
if (!Number.isSafeInteger(rounds) || rounds < 1 || !Number.isSafeInteger(count) || count < CONNECTIONS) {
  console.error('usage: npm run bench:http -- [rounds] [requests a turn]');
  process.exit(2);
}

console.log(
  `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'an unknown processor'}; ` +
    `${CONNECTIONS} connections, ${rounds} rounds of ${count.toLocaleString('en')} requests to each`,
);
const sites = await Promise.all(['none', 'express-session', 'coatcheck'].map(start));
const [none, store, ours] = sites;
for (const { visitors } of sites) await visitors.ask(WARMING_UP);
for (let round = 0; round < rounds; round++) {
  // In turns, and each in every place of the row: whoever is asked after an idle moment has a cooler processor.
  for (let i = 0; i < sites.length; i++) {
    const site = sites[(i + round) % sites.length];
    const { seconds, cpu } = await measure(site);
    site.seconds.push(seconds);
    site.cpu.push(cpu);
  }
}
for (const { child, visitors } of sites) {
  visitors.leave();
  child.disconnect();
}

for (const { name, seconds, cpu } of sites) {
  const rate = Math.round(count / spread(seconds).median).toLocaleString('en');
  console.log(
    `${name.padEnd(18)} ${rate.padStart(8)} requests a second, ${spread(cpu).median.toFixed(1)} µs of CPU each`,
  );
}
judge('requests, against express-session', ratios(store.seconds, ours.seconds), { least: LEAST_RATE });
judge('CPU a request, against no session', ratios(ours.cpu, none.cpu), { most: MOST_CPU });
judge('CPU a request, against express-session', ratios(ours.cpu, store.cpu), {});

async function start(name) {
  const path = fileURLToPath(new URL('./http/server.js', import.meta.url));
  const env = { ...process.env, NODE_ENV: 'production' };
  const child = fork(path, [name], { env });
  child.on('exit', (status) => {
    if (status !== 0) process.exit(1);
  });
  const [port] = await once(child, 'message');
  const cookies = await Promise.all(Array.from({ length: CONNECTIONS }, () => logIn(port)));
  const visitors = await Visitors.come(port, cookies, `hello ${shopData.name}`);
  return { name, child, visitors, seconds: [], cpu: [] };
}

/**
 * From here: V8 has code slowed down that is used for clients and servers both, so a site that called itself would be
 * none.
 */
async function logIn(port) {
  const response = await fetch(`http://127.0.0.1:${port}/login`);
  await response.text();
  return response.headers.getSetCookie()[0].split(';', 1)[0];
}

/** Seconds for all requests, and microseconds of the server's CPU for each. */
async function measure({ child, visitors }) {
  const used = await usage(child);
  const before = performance.now();
  await visitors.ask(count);
  const seconds = (performance.now() - before) / 1000;
  const { user, system } = await usage(child);
  return { seconds, cpu: (user + system - used.user - used.system) / count };
}

async function usage(child) {
  child.send('usage');
  const [used] = await once(child, 'message');
  return used;
}

function judge(what, { median, min, max }, { least, most }) {
  const met = least === undefined ? median <= (most ?? Number.POSITIVE_INFINITY) : median >= least;
  const bar = least === undefined ? `at most ${most}` : `at least ${least}`;
  const verdict = least === most ? '' : `${bar}: ${met ? 'met' : 'MISSED'}`;
  const [middle, low, high] = [median, min, max].map((value) => value.toFixed(2));
  console.log(`${what.padEnd(40)} ${middle} × (${low}–${high})   ${verdict}`);
  if (!met) process.exitCode = 1;
}
