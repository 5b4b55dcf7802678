/** `coatcheck demo`: runs the demo until it is told to stop. Runs in the main thread. */

import { startDemo } from './host.js';

export interface DemoOptions {
  readonly port: number;
}

export async function demoCommand({ port }: DemoOptions): Promise<void> {
  const stopped = stopSignal();
  const demo = await startDemo(port);
  process.stdout.write(`
  coatcheck demo at ${demo.url}

  Main thread: HTTP, login, logout, devices. ${demo.poolThreads} pool threads: pages. One more: the sessions.
  Log in from two browsers, or with curl:

    curl -c jar -d user=Ada ${demo.url}login
    curl -b jar ${demo.url}page/foyer

  Ctrl-C ends it.
`);
  await stopped;
  await demo.stop();
}

/** Resolves at the first Ctrl-C or SIGTERM; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const signals = ['SIGINT', 'SIGTERM'] as const;
    const stop = () => {
      for (const signal of signals) process.off(signal, stop);
      resolve();
    };
    for (const signal of signals) process.on(signal, stop);
  });
}
