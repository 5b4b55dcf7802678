/**
 * Holds recorded histories against what one session allows: each that is posted is answered with what was found. A
 * thread of its own, as a check takes longer than a lookup may wait.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parentPort } from 'node:worker_threads';

const { checkHistory } = await compiled('../history/check.ts');
parentPort.on('message', (history) => parentPort.postMessage(checkHistory(history)));
parentPort.postMessage('ready');

/** A module of the tests, which Node cannot run as it is written, with all that it imports. */
async function compiled(path) {
  const folder = mkdtempSync(join(tmpdir(), 'coatcheck-'));
  try {
    const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));
    const source = fileURLToPath(new URL(path, import.meta.url));
    const options = [
      '--noCheck',
      '--ignoreConfig',
      '--target',
      'es2023',
      '--module',
      'esnext',
      '--rootDir',
      join(source, '..'),
    ];
    execFileSync(process.execPath, [tsc, ...options, '--outDir', folder, source], { encoding: 'utf8' });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    return await import(pathToFileURL(join(folder, 'check.js')).href);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
