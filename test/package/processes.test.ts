/** Several processes: sessions are not shared between them, and that is said where it shows. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectSessionManager, startSessionManager } from '../../dist/src/index.js';
import { fixture, Thread } from '../support/threads.js';

const run = promisify(execFile);
const small = { maxSessions: 100, maxBytes: 100_000 };

interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** What a program printed as JSON, and what it wrote to stderr. */
async function outcomeOf<T>(program: string[], env: NodeJS.ProcessEnv = {}): Promise<{ told: T; stderr: string }> {
  const { stdout, stderr } = await run(process.execPath, program, { env: { ...process.env, ...env }, timeout: 30_000 });
  return { told: JSON.parse(stdout) as T, stderr };
}

describe('the workers of a cluster', () => {
  const outcome = outcomeOf<{
    primary: string[];
    workers: { byName: Refusal; byTicket: Refusal; warnings: (Refusal & { name: string })[] }[];
  }>([fileURLToPath(fixture('serves-in-a-cluster'))]);
  outcome.catch(() => undefined);

  test('are warned once each when they start managers, and told what follows and what to do', async () => {
    const { told, stderr } = await outcome;
    expect(told.workers).toHaveLength(2);
    for (const { warnings } of told.workers) {
      expect(warnings).toEqual([
        { code: 'COATCHECK_SEVERAL_PROCESSES', message: expect.any(String), name: 'CoatcheckWarning' },
      ]);
      expect(warnings[0]?.message).toMatch(/node:cluster.*is a stranger there.*threads instead.*sticky sessions/);
    }
    expect(stderr.match(/COATCHECK_SEVERAL_PROCESSES/g)).toHaveLength(2);
    // The primary itself is one process.
    expect(told.primary).toEqual([]);
  });

  test('find no manager of the primary, neither by name nor by a ticket, and are told that it is in another process', async () => {
    const { told } = await outcome;
    for (const { byName, byTicket } of told.workers) {
      expect(byName.code).toBe('ERR_MANAGER_NOT_FOUND');
      expect(byName.message).toMatch(
        /`of the primary`.*there is none.*worker process of node:cluster.*another process/,
      );
      expect(byTicket.code).toBe('ERR_MANAGER_NOT_FOUND');
      expect(byTicket.message).toMatch(/another process/);
    }
  });
});

const startsAManager = `
  import { startSessionManager } from '${new URL('../../dist/src/index.js', import.meta.url)}';
  const codes = [];
  process.on('warning', ({ code, message }) => codes.push([code, message]));
  await (await startSessionManager(${JSON.stringify(small)})).stop();
  console.log(JSON.stringify(codes));
`;
const program = ['--input-type=module', '--no-warnings', '--eval', startsAManager];

test("a process of PM2's cluster mode is warned, one of its fork mode is not, and neither is any other", async () => {
  const modes = [{ pm_id: '1', exec_mode: 'cluster_mode' }, { pm_id: '1', exec_mode: 'fork_mode' }, {}];
  const outcomes = await Promise.all(modes.map((env) => outcomeOf<unknown[]>(program, env)));
  expect(outcomes.map(({ told }) => told)).toEqual([
    [['COATCHECK_SEVERAL_PROCESSES', expect.stringContaining("PM2's cluster mode")]],
    [],
    [],
  ]);
});

describe('the error of a manager that is not found', () => {
  test('names the one that was looked for, and those that there are', async () => {
    await expect(connectSessionManager('shop')).rejects.toThrow('No session manager `shop`');
    const [one, two] = await Promise.all(['one', 'two'].map((name) => startSessionManager({ ...small, name })));
    onTestFinished(async () => {
      await one?.stop();
      await two?.stop();
    });
    await expect(connectSessionManager('shop')).rejects.toThrow(
      /No session manager `shop` .*\(there are `one`, `two`\)/,
    );
    const thread = new Thread();
    onTestFinished(() => void thread.worker.terminate());
    await expect(thread.ask('join', 'shop')).rejects.toThrow(/`shop` .*\(there are `one`, `two`\)/);
    await two?.stop();
    await expect(connectSessionManager('shop')).rejects.toThrow(/\(there is `one`\)/);
  });

  test('shows no name that is none', async () => {
    const name = 'x'.repeat(65);
    const error: Error = await connectSessionManager(name).then(
      () => Promise.reject(new Error('found')),
      (refused) => refused,
    );
    expect(error.message).not.toContain(name);
  });

  test('says of a ticket that went through JSON that it is from another process', async () => {
    const manager = await startSessionManager(small);
    onTestFinished(() => manager.stop());
    const ticket = JSON.parse(JSON.stringify(manager.createTicket()));
    await expect(connectSessionManager(ticket)).rejects.toMatchObject({
      code: 'ERR_MANAGER_NOT_FOUND',
      message: expect.stringContaining('another process'),
    });
    await expect(connectSessionManager({ name: 'default' } as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    });
  });
});
