/** Formats the result of a replay: a table, and a chart of the live sessions. Runs in the main thread. */

import asciichart from 'asciichart';
import Table from 'cli-table3';
import type { ReplayResult } from './replay.js';

const CHART_HEIGHT = 10;
/** Between the label and the plot: a blank and the axis. */
const AXIS_WIDTH = 2;

export interface ReportSource {
  readonly name: string;
  /** Seconds since 1970. */
  readonly first: number;
  readonly last: number;
  /** As typed on the command line. */
  readonly idle: string;
  readonly absolute: string;
}

/** The whole report, `columns` wide. */
export function replayReport(
  source: ReportSource,
  result: ReplayResult,
  series: readonly number[],
  columns: number,
): string {
  return [
    `${source.name}: ${count(result.requests, 'request')}, ${day(source.first)} to ${day(source.last)} (UTC)`,
    `Sessions end ${settingsInWords(source)}.`,
    '',
    table(result),
    '',
    'Live sessions over the time of the log',
    '',
    chart(series, columns),
    timeAxis(source, result.peak, columns),
    '',
    meaning(result),
    '',
    `Replayed through a real manager thread in ${result.seconds} s:\n${count(result.lookups, 'lookup')} in shared memory, ${count(result.calls, 'call')}.`,
    '',
  ].join('\n');
}

function settingsInWords({ idle, absolute }: ReportSource): string {
  if (idle === 'never' && absolute === 'never') return 'never';
  if (absolute === 'never') return `after ${idle} without a request, at no age`;
  if (idle === 'never') return `at the age of ${absolute}, however idle`;
  return `after ${idle} without a request, or at the age of ${absolute}`;
}

function table(result: ReplayResult): string {
  const rows: [string, string, string][] = [
    ['Clients', whole(result.clients), 'pairs of address and user agent'],
    ['Sessions opened', whole(result.opened), `${perOne(result.opened, result.clients)} per client`],
    ['Most alive at once', whole(result.peak), 'what `maxSessions` must hold'],
    ['Ended idle', whole(result.endedIdle), share(result.endedIdle, result.opened)],
    ['Ended by age', whole(result.endedByAge), share(result.endedByAge, result.opened)],
    ['Alive at the last request', whole(result.alive), share(result.alive, result.opened)],
  ];
  if (result.skippedLines > 0)
    rows.push(['Lines skipped', whole(result.skippedLines), 'not in a log format known here']);
  const grid = new Table({ colAligns: ['left', 'right', 'left'], style: { head: [], border: [], compact: true } });
  grid.push(...rows);
  return grid.toString();
}

/** The result in one sentence. */
function meaning({ opened, clients }: ReplayResult): string {
  const again = opened - clients;
  if (again === 0) return 'No client came back after its session had ended:\nnobody would have had to log in twice.';
  const times = again === 1 ? 'Once' : `${whole(again)} times`;
  return `${times} a client came back after its session had ended:\nso often would a user have had to log in again.`;
}

function chart(series: readonly number[], columns: number): string {
  const most = Math.max(...series, 1);
  const digits = whole(most).length;
  return asciichart.plot(fold(series, plotWidth(most, columns)), {
    min: 0,
    max: most,
    height: Math.min(CHART_HEIGHT, most),
    // For asciichart, the label is one column and the axis another.
    offset: 2,
    format: (value) => `${whole(Math.round(value)).padStart(digits)} `,
  });
}

/** The line below the chart: the first time, the middle one if it fits, and the last. */
function timeAxis({ first, last }: ReportSource, peak: number, columns: number): string {
  const width = plotWidth(Math.max(peak, 1), columns);
  const indent = ' '.repeat(whole(Math.max(peak, 1)).length + AXIS_WIDTH);
  const [start, middle, end] = [day(first), day((first + last) / 2), day(last)];
  if (width < start.length + end.length + 1) return indent + start;
  const gap = width - start.length - end.length;
  if (gap < middle.length + 2) return indent + start + ' '.repeat(gap) + end;
  const left = Math.max(1, Math.round((width - middle.length) / 2) - start.length);
  return indent + start + ' '.repeat(left) + middle + ' '.repeat(gap - left - middle.length) + end;
}

function plotWidth(most: number, columns: number): number {
  return Math.max(10, Math.min(columns, 120) - whole(most).length - AXIS_WIDTH - 1);
}

/** Reduces a series to one value per column: the highest of those that the column stands for. */
function fold(series: readonly number[], columns: number): number[] {
  return Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * series.length) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * series.length) / columns));
    return Math.max(0, ...series.slice(from, to));
  });
}

function day(seconds: number): string {
  const [date, time] = new Date(seconds * 1000).toISOString().split('T') as [string, string];
  return `${date} ${time.slice(0, 5)}`;
}

function whole(value: number): string {
  return value.toLocaleString('en-US');
}

function count(value: number, what: string): string {
  return `${whole(value)} ${what}${value === 1 ? '' : 's'}`;
}

function share(part: number, all: number): string {
  return `${((100 * part) / all).toFixed(1)} % of those opened`;
}

function perOne(part: number, all: number): string {
  return (part / all).toFixed(2);
}
