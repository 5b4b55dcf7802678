/** `coatcheck replay`: reads a log, replays it, and prints the result. Runs in the main thread. */

import { statSync } from 'node:fs';
import { parseLogLine } from './access-log.js';
import type { Timeout } from './durations.js';
import { Failure } from './failure.js';
import { named, readLines } from './log-lines.js';
import { withBar } from './progress.js';
import { replayLog } from './replay.js';
import { replayReport } from './replay-report.js';
import { RequestLog } from './request-log.js';

export interface ReplayOptions {
  readonly idle: Timeout;
  readonly absolute: Timeout;
  readonly json?: boolean;
}

/** The number of values in the chart's series: several for each column of a terminal. */
const CHART_POINTS = 480;

export async function replayCommand(file: string, options: ReplayOptions): Promise<void> {
  const log = await withBar('Reading  ', sizeOf(file), (read) => readLog(file, read));
  log.sort();
  const { result, series } = await withBar('Replaying', log.length, (progress) =>
    replayLog(
      log,
      { idleTimeout: options.idle.value, absoluteTimeout: options.absolute.value },
      { points: options.json ? 0 : CHART_POINTS, progress },
    ),
  );
  if (options.json) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const source = {
    name: named(file),
    first: log.at(0),
    last: log.at(log.length - 1),
    idle: options.idle.text,
    absolute: options.absolute.text,
  };
  process.stdout.write(replayReport(source, result, series, process.stdout.columns ?? 80));
}

async function readLog(file: string, read: (bytes: number) => void): Promise<RequestLog> {
  const log = new RequestLog();
  await readLines(
    file,
    (line) => {
      const request = line === undefined ? undefined : parseLogLine(line);
      if (request === undefined) log.skippedLines += 1;
      else log.add(request);
    },
    read,
  );
  if (log.length === 0) {
    const lines = log.skippedLines === 1 ? 'its only line is none' : `none of its ${log.skippedLines} lines is one`;
    throw new Failure(`${named(file)} holds no line in common or combined log format: ${lines}`);
  }
  return log;
}

/** The size for the progress bar. Undefined for what has no size or cannot be read; reading it then reports why. */
function sizeOf(file: string): number | undefined {
  if (file === '-') return undefined;
  try {
    const stats = statSync(file);
    return stats.isFile() ? stats.size : undefined;
  } catch {
    return undefined;
  }
}
