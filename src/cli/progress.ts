/** A progress bar on stderr, if that is a terminal. Runs in the main thread. */

import { SingleBar } from 'cli-progress';

/**
 * Runs `work` with a progress bar from 0 to `total`. Without one if stderr is no terminal or the total is not known.
 */
export async function withBar<T>(
  label: string,
  total: number | undefined,
  work: (update: (value: number) => void) => Promise<T>,
): Promise<T> {
  if (!process.stderr.isTTY || total === undefined || total === 0) return await work(() => undefined);
  const bar = new SingleBar({
    stream: process.stderr,
    clearOnComplete: true,
    barsize: 30,
    format: `${label} {bar} {percentage} %  {eta_formatted} left`,
    autopadding: true,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    // The bar changes no terminal settings and handles no signals: Ctrl-C ends the process as usual.
    gracefulExit: false,
    linewrap: true,
    hideCursor: null,
  });
  bar.start(total, 0);
  try {
    return await work((value) => bar.update(Math.min(value, total)));
  } finally {
    bar.stop();
  }
}
