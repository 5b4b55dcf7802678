// Packs the package as it would be published, and uses it as a stranger would: in an empty folder that has it from the
// tarball.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** What is tried beside the package, and is none of its own tools. */
const JEST = 'jest@30';

const root = join(import.meta.dirname, '..');
const temporary = mkdtempSync(join(tmpdir(), 'coatcheck-package-'));
const failures = [];

/** A program that must end by itself, without `stop`. */
const session = `const manager = await startSessionManager();
const made = await manager.newSession({ data: { drink: 'tea' } });
const found = manager.getSession(manager.getCookieData(made).value);
console.log(found.data.drink);
`;

/** What types a program of an application leans on. */
const typed = (imports, testing) => `${imports}
${testing}

interface Visitor {
  drink: string;
  cups?: number;
}

export async function main(): Promise<string> {
  await using manager = await startSessionManager<Visitor>({ idleTimeout: '10m', clock: createManualClock(0) });
  const session = await manager.newSession({ data: { drink: 'tea' }, userId: 'ada' });
  await session.set({ cups: 1 });
  // @ts-expect-error: a key that no Visitor has.
  await session.set({ cup: 1 });
  // @ts-expect-error: data is read only.
  session.data.drink = 'coffee';
  const joined = await connectSessionManager<Visitor>(manager.createTicket());
  const off = joined.on('ended', ({ reason, session: info }) => console.log(reason, info.id));
  off();
  for await (const info of joined.getAllSessions({ userId: 'ada' })) console.log(info.createdAt.getTime());
  try {
    await manager.newSession({ data: { drink: 'tea' }, userId: '' });
  } catch (error) {
    if (error instanceof SessionError && error.code === 'ERR_INVALID_OPTION') return error.outcome;
  }
  return joined.getSession('none')?.data.drink ?? 'nothing';
}
`;

try {
  const copy = copyOfTree();
  const tarball = check('packs', () => pack(copy));
  if (tarball !== undefined) {
    check('publint has nothing to say', () => run('npx', ['--no-install', 'publint', tarball, '--strict'], root));
    check('holds what users need and nothing else', () => checkFiles(tarball, copy));
    useIt(tarball);
    useItsTypes(tarball);
    installBesideOthers(tarball);
    followReadme(tarball);
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

if (failures.length > 0) {
  console.error(`\nThe package fails: ${failures.join('; ')}`);
  process.exitCode = 1;
} else {
  console.log('The package is well.');
}

/** Runs one check; what it throws is told, and the next one goes on. */
function check(name, body) {
  try {
    const result = body();
    console.log(`ok      ${name}`);
    return result;
  } catch (error) {
    failures.push(name);
    console.log(`FAILED  ${name}`);
    const text = [error.stdout, error.stderr].filter(Boolean).join('\n') || error.message;
    console.log(text.replace(/^/gm, '        '));
    return undefined;
  }
}

/** What a command prints. Throws, with what it printed, if it fails or takes more than three minutes. */
function run(command, args, cwd) {
  return execFileSync(command, args, { cwd, encoding: 'utf8', timeout: 180_000, stdio: ['ignore', 'pipe', 'pipe'] });
}

/**
 * The tree as git knows it, with the dependencies: building there leaves the one at hand alone, and nothing stale is
 * packed.
 */
function copyOfTree() {
  const copy = join(temporary, 'tree');
  const listed = run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'], root);
  for (const path of listed.split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    cpSync(join(root, path), join(copy, path));
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

function pack(copy) {
  run('npm', ['pack', '--silent', '--pack-destination', temporary], copy);
  const tarball = readdirSync(temporary).find((name) => name.endsWith('.tgz'));
  return join(temporary, tarball);
}

/** The tarball holds two files for each source, and the papers. */
function checkFiles(tarball, copy) {
  const packed = run('tar', ['-tzf', tarball], temporary).trim().split('\n');
  const sources = ['src', 'worker'].flatMap((folder) =>
    readdirSync(join(copy, folder), { recursive: true })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
      .map((name) => `package/dist/${folder}/${name.slice(0, -3)}`),
  );
  const pages = readdirSync(join(copy, 'docs')).map((name) => `docs/${name}`);
  const papers = ['README.md', 'LICENSE', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', ...pages];
  const wanted = new Set([
    'package/package.json',
    ...papers.map((name) => `package/${name}`),
    ...sources.flatMap((source) => [`${source}.js`, `${source}.d.ts`]),
  ]);
  const missing = [...wanted].filter((name) => !packed.includes(name));
  const surplus = packed.filter((name) => !wanted.has(name));
  if (missing.length > 0) throw new Error(`missing: ${missing.join(', ')}`);
  if (surplus.length > 0) throw new Error(`too much: ${surplus.join(', ')}`);
  const bin = run('tar', ['-tvzf', tarball, 'package/dist/src/cli/main.js'], temporary);
  if (!bin.startsWith('-rwxr-xr-x')) throw new Error(`the command cannot be executed: ${bin}`);
}

function useIt(tarball) {
  const folder = join(temporary, 'stranger');
  mkdirSync(folder);
  const write = (name, text) => writeFileSync(join(folder, name), text);
  write('package.json', JSON.stringify({ name: 'stranger', private: true, type: 'module' }));
  const version = (name) => JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version;
  const tools = [...['typescript', '@types/node'].map((name) => `${name}@${version(name)}`), JEST];
  const installed = check('installs in an empty folder', () => {
    run('npm', ['install', '--silent', '--no-audit', '--no-fund', tarball, ...tools], folder);
    return true;
  });
  if (installed === undefined) return;

  write('sessions.js', `import { startSessionManager } from 'coatcheck';\n${session}`);
  write(
    'required.cjs',
    `const { startSessionManager } = require('coatcheck');\nmain();\nasync function main() {\n${session}}\n`,
  );
  check('by import: makes a session, and ends by itself', () => expectTea(run('node', ['sessions.js'], folder)));
  check('by require: makes a session, and ends by itself', () => expectTea(run('node', ['required.cjs'], folder)));

  cpSync(join(root, '.ci/in-jest.js'), join(folder, 'in-jest.test.js'));
  check('in Jest: starts a manager, and is joined from a Worker', () => {
    run('node', ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js'], folder);
  });

  write(
    'typed.ts',
    typed(
      "import { connectSessionManager, SessionError, startSessionManager } from 'coatcheck';",
      "import { createManualClock } from 'coatcheck/testing';",
    ),
  );
  write(
    'typed-common.cts',
    typed(
      "import coatcheck = require('coatcheck');\nconst { connectSessionManager, SessionError, startSessionManager } = coatcheck;",
      "import testing = require('coatcheck/testing');\nconst { createManualClock } = testing;",
    ),
  );
  // All declarations are checked, the package's own and those that they need; with the DOM's and without.
  for (const lib of [
    ['ES2023', 'ESNext.Disposable'],
    ['ES2023', 'ESNext.Disposable', 'DOM'],
  ]) {
    const compilerOptions = {
      target: 'ES2023',
      lib,
      module: 'NodeNext',
      types: ['node'],
      strict: true,
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,

      noEmit: true,
    };
    write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['*.ts', '*.cts'] }));
    check(`type-checks, every declaration, with ${lib.join(', ')}`, () =>
      run('npx', ['--no-install', 'tsc', '-p', '.'], folder),
    );
  }

  check('npx coatcheck --help', () => {
    const help = run('npx', ['--no-install', 'coatcheck', '--help'], folder);
    if (!/replay/.test(help) || !/demo/.test(help)) throw new Error(`no help: ${help}`);
  });
  check('package.json can be read', () => {
    const text =
      "import { createRequire } from 'node:module';createRequire(process.cwd() + '/')('coatcheck/package.json')";
    run('node', ['--input-type=module', '-e', text], folder);
  });
}

/** Programs of sites that have types of others beside the package's, or resolve modules as Node 10 did. */
function useItsTypes(tarball) {
  const folder = join(temporary, 'typed');
  mkdirSync(folder);
  const write = (name, text) => writeFileSync(join(folder, name), text);
  write('package.json', JSON.stringify({ name: 'typed', private: true, type: 'module' }));
  // The last TypeScript that knows how Node 10 resolved modules; and of express-session's types the current ones.
  const types = [
    '@types/node@20',
    '@types/express',
    '@types/express-session',
    'typescript@5.9',
    'express',
    'express-session',
  ];
  const installed = check('installs beside the types of Express and express-session', () => {
    run('npm', ['install', '--silent', '--no-audit', '--no-fund', tarball, ...types], folder);
    return true;
  });
  if (installed === undefined) return;

  const imports = `import { startSessionManager } from 'coatcheck';
import { coatcheck, sessionIn } from 'coatcheck/express';
import { CoatcheckStore } from 'coatcheck/express-session';
`;
  write(
    'beside.ts',
    `import express from 'express';
import expressSession from 'express-session';
${imports}
const manager = await startSessionManager();
const site = express();
site.use(coatcheck(manager));
site.get('/', async ({ session }, response) => {
  await session.login('ada', { coats: 1 });
  const user: string | undefined = session.userId;
  response.send([user, session.data, session.requireLogin({ within: '1m' })]);
});
const store = new CoatcheckStore({ manager, userId: (data) => data.passport?.user });
const other = express();
other.use(expressSession({ secret: 'x', resave: false, saveUninitialized: false, store }));
other.get('/', (request, response) => request.session.destroy(() => void response.send(request.session.cookie.path)));
export { sessionIn };
`,
  );
  write(
    'as-node-10.ts',
    `${imports}import { createManualClock } from 'coatcheck/testing';
import type { RequestSession } from 'coatcheck/koa';
export async function main(): Promise<unknown[]> {
  const manager = await startSessionManager({ clock: createManualClock(0) });
  const id: string = (await manager.newSession()).id;
  return [coatcheck(manager), sessionIn, new CoatcheckStore({ manager }), id];
}
export type Session = RequestSession;
`,
  );
  const options = ['--noEmit', '--strict', '--target', 'ES2023', '--lib', 'ES2023,ESNext.Disposable'];
  const compile = (...more) => run('npx', ['--no-install', 'tsc', ...options, ...more], folder);
  for (const skips of ['true', 'false'])
    check(
      `type-checks beside the types of express-session, ${skips === 'true' ? 'its own programs' : 'every declaration'}`,
      () => compile('beside.ts', '--module', 'nodenext', '--skipLibCheck', skips),
    );
  check('type-checks with `moduleResolution: node`', () =>
    compile('as-node-10.ts', '--module', 'commonjs', '--moduleResolution', 'node10', '--skipLibCheck', 'true'),
  );
}

/** Frameworks of versions that no adapter is for do not keep a site that uses none from installing the package. */
function installBesideOthers(tarball) {
  const folder = join(temporary, 'older');
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'older', private: true, type: 'module' }));
  check('installs beside frameworks that no adapter is for', () =>
    run('npm', ['install', '--silent', '--no-audit', '--no-fund', tarball, 'koa@2', 'fastify@4', 'hono@3'], folder),
  );
}

/** The README's program of two threads, as it says: in an empty folder, by `npm init -y` and what follows it. */
function followReadme(tarball) {
  const folder = join(temporary, 'first');
  mkdirSync(folder);
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const [, commands = ''] = /## Install\n[\s\S]*?```sh\n([^`]*)```/.exec(readme) ?? [];
  for (const [, name, text] of readme.matchAll(/```js\n\/\/ (main|worker)\.js\n([^`]*)```/g))
    writeFileSync(join(folder, `${name}.js`), text);
  check('the program of two threads in the README runs in an empty folder', () => {
    for (const command of commands.trim().split('\n')) {
      const [program, ...args] = command.split(' ');
      run(
        program,
        args.map((arg) => (arg === 'coatcheck' ? tarball : arg)),
        folder,
      );
    }
    const printed = run('node', ['main.js'], folder);
    if (!printed.includes('worker: found ada')) throw new Error(`it printed: ${printed}`);
  });
}

function expectTea(printed) {
  if (printed !== 'tea\n') throw new Error(`expected 'tea', got: ${printed}`);
}
