/**
 * The public types as the compiler takes them: what an application may write with them. What they are: `api.test.ts`.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coatcheck-types-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/coatcheck'));
  for (const name of ['@types', '@standard-schema', '@fastify', 'express', 'fastify', 'hono', 'koa']) {
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * What the compiler says about one program; '' if it has nothing to say. The package's own declarations are checked
 * with it, unless others' would be as well.
 */
function complaints(program: string, skipLibCheck = false): string {
  const place = mkdtempSync(join(folder, 'program-'));
  const compilerOptions = {
    target: 'ES2023',
    lib: ['ES2023', 'ESNext.Disposable'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck,
    noEmit: true,
  };
  writeFileSync(join(place, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(place, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  writeFileSync(join(place, 'program.ts'), program);
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout, stderr, status } = spawnSync(process.execPath, [tsc, '-p', place], { encoding: 'utf8' });
  return status === 0 ? '' : stdout + stderr || `exit status ${status}`;
}

describe('the public face, as types', () => {
  test.each(['uses-the-public-face', 'uses-the-express-store'])(
    'an application may write what it should, and is refused what it should not: %s',
    (name) => {
      expect(complaints(readFileSync(join(root, `test/fixtures/${name}.ts`), 'utf8'))).toBe('');
    },
  );

  test('with each framework, sessions are typed by what the application says they hold', () => {
    const uses = join(root, 'test/fixtures/uses-the-adapters.ts');
    expect(complaints(readFileSync(uses, 'utf8'), true)).toBe('');
  });
});

test('beside the types of express-session, a request has both, and a store reads its data along a path', () => {
  const program = `
    import 'express-session';
    import type { Request } from 'express';
    import type { SessionManager } from 'coatcheck';
    import 'coatcheck/express';
    import { CoatcheckStore } from 'coatcheck/express-session';
    export const logIn = ({ session }: Request): Promise<void> => session.login(session.cookie.path ?? 'ada');
    export const store = (manager: SessionManager) =>
      new CoatcheckStore({ manager, userId: (data) => data.passport?.user });
  `;
  for (const skipsOthers of [true, false]) expect(complaints(program, skipsOthers)).toBe('');
});

describe('the declarations that are shipped', () => {
  const adapters = ['express', 'express-session', 'fastify', 'hono', 'koa'];
  const pathOf = (adapter: string) => (adapter === 'express-session' ? `http/store/${adapter}` : `http/${adapter}`);
  const entries = ['index', 'testing', ...adapters.map(pathOf)];
  /** The text of every declaration file of ours that the entry points lead to, without its comments. */
  const shipped = new Map<string, string>();
  const visit = (path: string): void => {
    if (shipped.has(path)) return;
    const text = readFileSync(path, 'utf8')
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .replace(/\/\/.*$/gm, '');
    shipped.set(path, text);
    for (const [, name] of text.matchAll(/['"](\.{1,2}\/[^'"]+)\.js['"]/g)) visit(join(path, '..', `${name}.d.ts`));
  };
  for (const entry of entries) visit(join(root, `dist/src/${entry}.d.ts`));

  test('they were found', () => expect(shipped.size).toBeGreaterThan(4));

  test.each([
    ['Comlink type', /comlink/i],
    ['any', /\bany\b/],
    ['type of the manager thread', /worker\/(?:main|manager)|ManagerApi/],
  ])('no %s is in them', (_, pattern) => {
    expect([...shipped].filter(([, text]) => pattern.test(text)).map(([path]) => path)).toEqual([]);
  });

  test('they need no package but the schemas’ types, and an adapter its framework', () => {
    const needed = [...shipped].flatMap(([path, text]) =>
      [...text.matchAll(/from ['"]([^.'"][^'"]*)['"]/g)].map(([, name]) => [relative(root, path), name]),
    );
    const named = needed.filter(([, name]) => !name?.startsWith('node:'));
    const isOwn = ([path, name]: (string | undefined)[]) => path === `dist/src/${pathOf(`${name}`)}.d.ts`;
    expect([...new Set(named.filter((each) => !isOwn(each)).map(([, name]) => name))]).toEqual([
      '@standard-schema/spec',
    ]);
    expect(named.filter(isOwn).map(([, name]) => name)).toEqual(['fastify', 'hono', 'koa']);
  });

  test('each entry point is exported, with its types, also to who resolves modules as Node 10 did', () => {
    const { exports, types, typesVersions } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const { './package.json': _, ...named } = exports;
    expect(Object.values(named)).toEqual(
      entries.map((path) => ({
        types: `./dist/src/${path}.d.ts`,
        default: `./dist/src/${path}.js`,
      })),
    );
    const byName = Object.entries(named).map(([name, entry]) => [name.slice(2), [(entry as { types: string }).types]]);
    expect({ '': [types], ...typesVersions['*'] }).toEqual(Object.fromEntries(byName));
  });
});
