/** Modules of the tests, which Node cannot run as they are written, with all that they import. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** By their places in the package. They find its build, its fixtures and its dependencies where they look for them. */
export async function compiled(...paths) {
  const folder = mkdtempSync(join(tmpdir(), 'coatcheck-'));
  try {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const options = ['--noCheck', '--ignoreConfig', '--skipLibCheck', '--target', 'es2023', '--module', 'esnext'];
    const places = ['--moduleResolution', 'bundler', '--rootDir', root, '--outDir', folder];
    const sources = paths.map((path) => join(root, path));
    execFileSync(process.execPath, [tsc, ...options, ...places, ...sources], { cwd: root, encoding: 'utf8' });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    for (const name of ['dist', 'node_modules', 'test/fixtures']) symlinkSync(join(root, name), join(folder, name));
    const urls = sources.map((source) => join(folder, relative(root, source)).replace(/\.ts$/, '.js'));
    return await Promise.all(urls.map((path) => import(pathToFileURL(path).href)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
