/** The public face as types: what is built is held to the promise in fixtures/api.d.ts, by the compiler. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withAdditions } from '../support/additions.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const promised = withAdditions(readFileSync(new URL('../fixtures/api.d.ts', import.meta.url), 'utf8'));
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
function complaints(program: string, others: Record<string, string> = {}, skipLibCheck = false): string {
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
  for (const [name, text] of Object.entries(others)) writeFileSync(join(place, name), text);
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout, stderr, status } = spawnSync(process.execPath, [tsc, '-p', place], { encoding: 'utf8' });
  return status === 0 ? '' : stdout + stderr || `exit status ${status}`;
}

interface Promised {
  readonly name: string;
  readonly isFunction: boolean;
  readonly isGeneric: boolean;
}

function namesIn(api: string): Promised[] {
  return [...api.matchAll(/^export (interface|type|class|function) (\w+)(<)?/gm)].map(([, kind, name, generic]) => ({
    name: name ?? '',
    isFunction: kind === 'function',
    isGeneric: generic !== undefined,
  }));
}

/**
 * A brand is a type of its own wherever it is declared: the promise takes that of the package. All else is compared as
 * it stands, but for what was added.
 */
function asPromised(api: string): string {
  const brand = /^export type SessionId = .*\ndeclare const idBrand: unique symbol;$/m;
  if (!brand.test(api)) throw new Error('the promise declares no SessionId as expected');
  return `export type SessionId = import('coatcheck').SessionId;\n${api.replace(brand, '')}`;
}

/**
 * A program that compiles only if both say the same: identity, as assignability would let a method ask for more than
 * was promised.
 */
function comparison(api: string): string {
  const lines = namesIn(api)
    // Compared below, as it has a constructor of its own and a `name`.
    .filter(({ name }) => name !== 'SessionError')
    .flatMap(({ name, isFunction, isGeneric }) => {
      const face = name === 'createManualClock' ? 'testing' : 'face';
      if (isFunction) return [`same<Same<typeof ${face}.${name}, typeof api.${name}>>();`];
      if (!isGeneric) return [`same<Same<${face}.${name}, api.${name}>>();`];
      const kinds = ['Visitor', 'Guest', 'Record<string, unknown>'].map((data) => `<${data}>`);
      // `Patch` alone has no default.
      return [...kinds, ...(/^(?:Patch|ConnectOptions)$/.test(name) ? [] : [''])].map(
        (data) => `same<Same<face.${name}${data}, api.${name}${data}>>();`,
      );
    });
  return `
import type * as face from 'coatcheck';
import type * as testing from 'coatcheck/testing';
import type * as api from './api.js';

interface Visitor { drink: string; cups?: number }
interface Guest { hat?: string }

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<T extends true>(): void;

${lines.join('\n')}
same<Same<testing.ManualClock, api.ManualClock>>();
same<Same<Pick<face.SessionError, 'code' | 'outcome'>, Pick<api.SessionError, 'code' | 'outcome'>>>();
export const asError = (error: face.SessionError): api.SessionError => error;

// Both ways, for any data at all.
export function promise<D extends Visitor>(a: face.Session<D>, b: face.NewSession<D>, c: face.ManagerOptions<D>, d: face.Patch<D>) {
  const promised: [api.Session<D>, api.NewSession<D>, api.ManagerOptions<D>, api.Patch<D>] = [a, b, c, d];
  const kept: [face.Session<D>, face.NewSession<D>, face.ManagerOptions<D>, face.Patch<D>] = promised;
  return kept;
}
`;
}

describe('the public face, as types', () => {
  test('every name that is promised is there, and is what was promised', () => {
    expect(namesIn(promised)).toHaveLength(25);
    expect(complaints(comparison(promised), { 'api.d.ts': asPromised(promised) })).toBe('');
  });

  // The comparison is worth something only if it notices.
  test.each([
    ['a name too few', /^export interface ManagerStats/m, 'export interface ManagerFigures {}\n$&'],
    ['a method too few', /^ {2}touch\(\): boolean;$/m, '  touch(): boolean;\n  untouch(): boolean;'],
    ['a method too many', /^ {2}sweep\(\): Promise<number>;$/m, ''],
    ['a result that may be missing', /^ {2}sweep\(\): Promise<number>;$/m, '  sweep(): Promise<number | undefined>;'],
    ['an argument that must be given', /^ {2}close\(note\?: string\)/m, '  close(note: string)'],
    ['an argument of fewer values', /getSession\(cookie: string \| undefined,/, 'getSession(cookie: string,'],
    ['another option', /^ {2}maxSessions\?: number;$/m, '  maxSessions?: number;\n  minSessions?: number;'],
    ['an option of another type', /^ {2}whenFull\?: 'reject' \| 'end-longest-idle';$/m, "  whenFull?: 'reject';"],
    ['a value that is not read only', /^ {2}readonly alive: boolean;$/m, '  alive: boolean;'],
    ['another code', /\| 'ERR_STORE';/, "| 'ERR_STORE' | 'ERR_OTHER';"],
    ['a default that is gone', /^(export function startSessionManager<D extends SessionData)[^>]*>/m, '$1>'],
  ])('the comparison notices %s', (_, pattern, replacement) => {
    const changed = promised.replace(pattern, replacement);
    expect(changed).not.toBe(promised);
    expect(complaints(comparison(changed), { 'api.d.ts': asPromised(changed) })).toMatch(/error TS/);
  });

  test.each(['uses-the-public-face', 'uses-the-express-store'])(
    'an application may write what it should, and is refused what it should not: %s',
    (name) => {
      expect(complaints(readFileSync(join(root, `test/fixtures/${name}.ts`), 'utf8'))).toBe('');
    },
  );

  test('with each framework, sessions are typed by what the application says they hold', () => {
    const uses = join(root, 'test/fixtures/uses-the-adapters.ts');
    expect(complaints(readFileSync(uses, 'utf8'), {}, true)).toBe('');
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
  for (const skipsOthers of [true, false]) expect(complaints(program, {}, skipsOthers)).toBe('');
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
