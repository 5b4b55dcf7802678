import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const program = fileURLToPath(new URL('../alone.js', import.meta.url));

export const question = 'What does a call cost that comes alone?';

/** Asked in a process of its own, with all its threads on one processor where `taskset` can do that. */
export async function ask() {
  const processor = lastAllowed();
  const pinned = ['-c', `${processor}`, process.execPath, ...process.execArgv, program];
  if (processor !== undefined && (await isThere('taskset', ['-c', `${processor}`, 'true'])))
    return JSON.parse((await run('taskset', pinned)).stdout);
  const rows = JSON.parse((await run(process.execPath, [...process.execArgv, program])).stdout);
  return rows.map((row) => ({ ...row, what: `${row.what} (not pinned)`, bar: undefined, met: undefined }));
}

/** The last processor that this process may run on; undefined where the system does not say. */
function lastAllowed() {
  try {
    return /^Cpus_allowed_list:.*?(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

async function isThere(command, args) {
  return run(command, args).then(
    () => true,
    () => false,
  );
}
