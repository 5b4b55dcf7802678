/**
 * Whether this process is one of several that serve one site, as far as its environment shows: threads share
 * sessions, processes do not. Runs in every thread of the host.
 */

/**
 * How this process shows to be one of several of its kind; undefined where it does not. Of node:cluster, only the
 * main thread of a worker knows.
 */
function kindOfWorker(): string | undefined {
  const { pm_id: pm2, exec_mode: mode } = process.env;
  if (pm2 !== undefined && mode === 'cluster_mode') return "PM2's cluster mode";
  // Only a process with a channel to another can be such a worker; in all others the module is not even loaded.
  if (process.send === undefined) return undefined;
  return Reflect.get(process.getBuiltinModule('node:cluster'), 'isWorker') === true ? 'node:cluster' : undefined;
}

let isWarned = false;

/** Warns, once, where a manager is started in one of several processes: each has sessions of its own. */
export function warnOfOtherProcesses(): void {
  const kind = kindOfWorker();
  if (kind === undefined || isWarned) return;
  isWarned = true;
  const text =
    `A session manager was started in a worker process of ${kind}. Each process has sessions of its own: a visitor whose next request ` +
    'another process answers is a stranger there. Run one process with threads instead (worker_threads, Piscina), or have each visitor ' +
    'sent to the same process each time (sticky sessions)';
  process.emitWarning(text, { type: 'CoatcheckWarning', code: 'COATCHECK_SEVERAL_PROCESSES' });
}

/**
 * What to add where a manager was not found: that it may be in another process. Empty where there is no sign of
 * another.
 */
export function hintOfOtherProcess(): string {
  const kind = kindOfWorker();
  const self =
    kind === undefined
      ? process.send && 'This process was started by another one'
      : `This is a worker process of ${kind}`;
  return self === undefined
    ? ''
    : `. ${self}: a manager in another process is never found, as only threads share its memory`;
}
