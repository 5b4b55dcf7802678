/** `coatcheck demo`: runs the demo until a signal ends it. Runs in the main thread. */

import { startDemo } from './host.js';

export interface DemoOptions {
  readonly port: number;
}

export async function demoCommand({ port }: DemoOptions): Promise<void> {
  const stopped = stopSignal();
  const demo = await startDemo(port);
  process.stdout.write(`
  coatcheck demo at ${demo.url}

  Main thread: HTTP, login, logout, devices, sockets. ${demo.poolThreads} pool threads: the rooms. One more: the sessions.
  Log in from two browsers, or with curl:

    curl -c jar -d user=Ada ${demo.url}login
    curl -b jar ${demo.url}page/foyer

  Ctrl-C ends it.
`);
  await stopped;
  await demo.stop();
}

/**
 * One Ctrl-C may arrive twice: from the terminal, and from npm, which passes it on. After this many milliseconds it
 * counts as another one.
 */
const SAME_CTRL_C = 1000;

/** Resolves at the first Ctrl-C or SIGTERM. Another one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let first: number | undefined;
    const stop = () => {
      first ??= performance.now();
      if (performance.now() - first > SAME_CTRL_C) process.exit(1);
      resolve();
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
}
