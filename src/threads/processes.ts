/**
 * Whether this process is one of several that serve one site, as far as the environment shows it. Threads share
 * sessions, processes do not. Runs in every thread of the host.
 */

/**
 * What made this process one of several; undefined if nothing shows it. In a worker of node:cluster, only the main
 * thread knows that it is one.
 */
function kindOfWorker(): string | undefined {
  const { pm_id: pm2, exec_mode: mode } = process.env;
  if (pm2 !== undefined && mode === 'cluster_mode') return "PM2's cluster mode";
  // A cluster worker has an IPC channel. In other processes the module is not even loaded.
  if (process.send === undefined) return undefined;
  return Reflect.get(process.getBuiltinModule('node:cluster'), 'isWorker') === true ? 'node:cluster' : undefined;
}

let isWarned = false;

/** Emits a warning, once, if a manager is started in one of several processes: each process has sessions of its own. */
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
 * What to add to ERR_MANAGER_NOT_FOUND: that the manager may be in another process. Empty if nothing shows another
 * process.
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
