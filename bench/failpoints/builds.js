/** Two copies of what is built: one as it is, and one without failpoints and heartbeat. */

import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

const FAILPOINT = /\bfailpoint\('[^']*'\);/g;
/** The beat itself. Where there never was one, the supervisor does not miss it. */
const BEAT = 'Atomics.add(this.header, HEADER.heartbeat, 1);';

/**
 * Makes the copies in `folder`, and resolves to where they lie and to how many calls of `failpoint` were taken out of
 * the second.
 */
export function copyBuilds(folder) {
  const [whole, bare] = ['whole', 'bare'].map((name) => copyBuild(join(folder, name)));
  let removed = 0;
  const owner = join(bare, 'dist/worker/table/owner.js');
  if (readFileSync(owner, 'utf8').split(BEAT).length !== 2) throw new Error(`There is no one beat in ${owner}.`);
  change(owner, (text) => text.replace(BEAT, ''));
  for (const path of filesIn(join(bare, 'dist/worker'), '.js')) {
    change(path, (text) => {
      removed += text.match(FAILPOINT)?.length ?? 0;
      // An empty statement, in case it is all that a condition has.
      return text.replace(FAILPOINT, ';');
    });
  }
  const written = filesIn(join(root, 'worker'), '.ts').reduce((sum, path) => sum + callsIn(path), 0);
  const left = filesIn(join(bare, 'dist/worker'), '.js').reduce((sum, path) => sum + callsIn(path), 0);
  if (removed === 0 || removed !== written || left !== 0) {
    throw new Error(
      `Of ${written} calls of failpoint in worker/ ${removed} were taken out of dist/worker/, and ${left} were left.`,
    );
  }
  return { whole, bare, removed };
}

/** Calls in whatever form, the definition excepted. */
function callsIn(path) {
  return readFileSync(path, 'utf8').match(/(?<!function )\bfailpoint\(/g)?.length ?? 0;
}

function copyBuild(folder) {
  mkdirSync(folder);
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

function filesIn(folder, ending) {
  const names = readdirSync(folder, { recursive: true });
  return names.filter((name) => name.endsWith(ending)).map((name) => join(folder, name));
}

function change(path, make) {
  writeFileSync(path, make(readFileSync(path, 'utf8')));
}
