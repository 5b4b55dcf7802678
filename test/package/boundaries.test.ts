/**
 * Which file may import what: the folder is the thread, and a file's folder says what it may touch. Read from the
 * import lines.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';

interface Source {
  /** From the package's root, with '/'. */
  readonly path: string;
  readonly text: string;
  /** As written. */
  readonly imports: readonly string[];
}

const root = new URL('../../', import.meta.url);
const sources = ['src', 'worker'].flatMap(sourcesIn);
const paths = new Set(sources.map(({ path }) => path));

function sourcesIn(folder: string): Source[] {
  return readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const path = posix.join(folder, name.replaceAll('\\', '/'));
      const text = readFileSync(new URL(path, root), 'utf8');
      return { path, text, imports: importsOf(text) };
    });
}

/**
 * What a file names in `import … from`, `export … from`, `import '…'`, `import('…')`, `require('…')` and `new URL('…',
 * import.meta.url)` to a script.
 */
function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
  const forms = [
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\b(?:import|require)\s*\(\s*['"]([^'"]+)['"]/g,
  ];
  return forms.flatMap((form) => [...code.matchAll(form)].map((match) => match[1] ?? ''));
}

/** The file that a relative import leads to; the name itself for a package or a built-in module. */
function targetOf(from: string, name: string): string {
  return name.startsWith('.') ? posix.join(posix.dirname(from), name).replace(/\.js$/, '.ts') : name;
}

/** Every import that the rule does not allow, as a line that says who imports what. */
function violations(of: (path: string) => boolean, allowed: (target: string) => boolean): string[] {
  return sources
    .filter(({ path }) => of(path))
    .flatMap(({ path, imports }) =>
      imports
        .map((name) => targetOf(path, name))
        .filter((target) => !allowed(target))
        .map((target) => `${path} imports ${target}`),
    );
}

const frameworks = ['express', 'express-session', 'fastify', 'hono', 'koa'];

const adapterOf = (framework: string) => `src/http/${framework === 'express-session' ? 'store/' : ''}${framework}.ts`;

const isPackage = (name: string) => !name.startsWith('.') && !isBuiltin(name);

function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
  readonly peerDependenciesMeta: Record<string, unknown>;
}

function manifest(): Manifest {
  return JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Manifest;
}

/**
 * Which rooms each room imports from, whoever is imported before who imports. A room is a folder, with the folders in
 * it that are not rooms themselves; a file that lies beside rooms is one of its own.
 */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  'src/types': [],
  'src/protocol': [],
  'src/validation': ['src/types', 'src/protocol'],
  'src/cookies': ['src/types', 'src/protocol', 'src/validation'],
  'src/options': ['src/types', 'src/protocol', 'src/validation', 'src/cookies'],
  'src/calls': ['src/protocol'],
  'src/schema': ['src/types', 'src/protocol', 'src/calls'],
  'src/session': [
    'src/types',
    'src/protocol',
    'src/validation',
    'src/cookies',
    'src/options',
    'src/calls',
    'src/schema',
  ],
  'src/lookup': ['src/types', 'src/protocol', 'src/validation', 'src/cookies', 'src/calls', 'src/session'],
  'src/threads': ['src/types', 'src/protocol', 'src/calls'],
  'src/manager': [
    'src/types',
    'src/protocol',
    'src/validation',
    'src/cookies',
    'src/options',
    'src/calls',
    'src/schema',
    'src/session',
    'src/lookup',
    'src/threads',
  ],
  'src/index.ts': ['src/types', 'src/protocol', 'src/options', 'src/manager'],
  'src/testing.ts': ['src/types', 'src/manager'],
  'src/http/options': ['src/index.ts'],
  'src/http/response': ['src/http/options'],
  'src/http/request': ['src/http/options', 'src/http/response'],
  'src/http/session': ['src/index.ts', 'src/http/options', 'src/http/response', 'src/http/request'],
  'src/http/store': ['src/index.ts'],
  'src/http': ['src/index.ts', 'src/http/options', 'src/http/response', 'src/http/request', 'src/http/session'],
  'src/cli': ['src/index.ts', 'src/testing.ts', 'src/http'],
  'worker/failpoints.ts': [],
  'worker/table': ['src/protocol', 'worker/failpoints.ts'],
  'worker/rules': ['src/protocol', 'worker/failpoints.ts', 'worker/table'],
  'worker/calls': ['src/protocol', 'worker/failpoints.ts', 'worker/table', 'worker/rules'],
  'worker/recovery.ts': ['src/protocol', 'worker/failpoints.ts', 'worker/table', 'worker/rules'],
  'worker/main.ts': [
    'src/protocol',
    'worker/failpoints.ts',
    'worker/table',
    'worker/rules',
    'worker/calls',
    'worker/recovery.ts',
  ],
};

function roomOf(path: string): string {
  const rooms = Object.keys(ROOMS).filter((room) => path === room || isIn(room)(path));
  return rooms.sort((a, b) => b.length - a.length)[0] ?? path;
}

const isIn = (folder: string) => (path: string) => path.startsWith(`${folder}/`);
const isFile = (target: string) => /^(?:\.|src\/|worker\/)/.test(target);

describe('what the files import', () => {
  test('the files were found, and their imports lead to files', () => {
    expect(sources.length).toBeGreaterThan(40);
    expect(
      violations(
        () => true,
        (target) => !isFile(target) || paths.has(target),
      ),
    ).toEqual([]);
    // Each of the forms is seen, or the rules below would hold of nothing.
    expect(
      importsOf("import a from 'a';\nimport 'b';\nexport {\n  c,\n} from 'c';\nawait import('d'); // import 'e'"),
    ).toEqual(['a', 'c', 'b', 'd']);
  });

  test('relative imports name the built file, and built-in modules have their prefix', () => {
    const isWell = (name: string) =>
      name.startsWith('.') ? name.endsWith('.js') : name.startsWith('node:') || !isBuiltin(name);
    const wrong = sources.flatMap(({ path, imports }) =>
      imports.filter((name) => !isWell(name)).map((name) => `${path}: ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test("src/ never imports the manager's side", () => {
    expect(violations(isIn('src'), (target) => !isIn('worker')(target))).toEqual([]);
  });

  test("src/ names the manager's module in one place", () => {
    expect(
      sources
        .filter(({ path, text }) => isIn('src')(path) && /['"`][^'"`]*worker\/main/.test(text))
        .map(({ path }) => path),
    ).toHaveLength(1);
  });

  test("worker/ takes nothing of src/ but the protocol's", () => {
    expect(violations(isIn('worker'), (target) => !isIn('src')(target) || isIn('src/protocol')(target))).toEqual([]);
  });

  test('src/protocol/ imports itself and built-in modules only, and none that knows threads', () => {
    const isAllowed = (target: string) =>
      isIn('src/protocol')(target) || (isBuiltin(target) && target !== 'node:worker_threads');
    expect(violations(isIn('src/protocol'), isAllowed)).toEqual([]);
  });

  test.each([
    ['src/cli', ['src/index.ts', 'src/testing.ts', 'src/http/express.ts']],
    ['src/http', ['src/index.ts']],
  ])('%s/ uses the package as anybody would: %j, itself and packages', (folder, faces) => {
    expect(
      violations(isIn(folder), (target) => !isFile(target) || isIn(folder)(target) || faces.includes(target)),
    ).toEqual([]);
  });

  test('nothing but the command and the adapters lies behind the public face: the library imports neither', () => {
    const isOutside = (path: string) => isIn('src/cli')(path) || isIn('src/http')(path);
    expect(
      violations(
        (path) => !isOutside(path),
        (target) => !isOutside(target),
      ),
    ).toEqual([]);
    expect(
      violations(
        (path) => !isOutside(path),
        (target) => target !== 'src/index.ts' && target !== 'src/testing.ts',
      ),
    ).toEqual([]);
  });

  test('Comlink is named in one file on each side', () => {
    const namers = sources
      .filter(({ imports }) => imports.some((name) => /^comlink(?:\/|$)/.test(name)))
      .map(({ path }) => path);
    expect(namers.map((path) => path.split('/')[0]).sort()).toEqual(['src', 'worker']);
  });

  test('the rules and the table know neither ports nor threads nor clocks', () => {
    const isPure = (path: string) => isIn('worker/rules')(path) || isIn('worker/table')(path);
    expect(violations(isPure, isFile)).toEqual([]);
    const clocks =
      /\bDate\.now\b|\bnew Date\(\)|\bperformance\.|\bprocess\.hrtime|\bset(?:Timeout|Interval|Immediate)\(/;
    expect(sources.filter(({ path, text }) => isPure(path) && clocks.test(text)).map(({ path }) => path)).toEqual([]);
  });

  test('the packages imported are those that package.json declares', () => {
    const { dependencies } = manifest();
    const used = sources.flatMap(({ imports }) => imports).filter(isPackage);
    const named = [...new Set(used.map(packageOf))].filter((name) => !frameworks.includes(name));
    expect(named.sort()).toEqual(Object.keys(dependencies).sort());
  });

  test('a framework is an optional peer, and known to its own adapter alone, as types', () => {
    const { peerDependencies, peerDependenciesMeta } = manifest();
    expect(Object.keys(peerDependencies).sort()).toEqual(frameworks);
    expect(Object.values(peerDependenciesMeta)).toEqual(frameworks.map(() => ({ optional: true })));
    const knowing = sources.filter(({ imports }) => imports.map(packageOf).some((name) => frameworks.includes(name)));
    expect(knowing.map(({ path }) => path).sort()).toEqual(['fastify', 'hono', 'koa'].map(adapterOf));
    for (const { path, text } of knowing) {
      const name = posix.basename(path, '.ts');
      expect(text).not.toMatch(new RegExp(`^import (?!type )[^;]*['"]${name}['"]`, 'm'));
    }
  });

  test('nothing in src/http/ knows one framework but its adapter, and no adapter another', () => {
    const adapters = frameworks.map(adapterOf);
    expect(violations(isIn('src/http'), (target) => !adapters.includes(target))).toEqual([]);
  });

  test('a room knows the rooms that the table allows it, and those it does know', () => {
    const known = new Map<string, Set<string>>();
    for (const { path, imports } of sources) {
      const from = roomOf(path);
      const targets = known.get(from) ?? new Set();
      known.set(from, targets);
      for (const target of imports.map((name) => targetOf(path, name)).filter((name) => paths.has(name)))
        if (roomOf(target) !== from) targets.add(roomOf(target));
    }
    const sorted = (rooms: Iterable<readonly [string, Iterable<string>]>) =>
      Object.fromEntries([...rooms].map(([room, targets]) => [room, [...targets].sort()]));
    expect(sorted(known)).toEqual(sorted(Object.entries(ROOMS)));
  });

  test('docs/architecture.md tells the same rooms', () => {
    const text = readFileSync(new URL('docs/architecture.md', root), 'utf8');
    const [, body = ''] = /^\| room \|.*\n\|[-|]*\n((?:\|.*\n)*)/m.exec(text) ?? [];
    const told: Record<string, readonly string[]> = {};
    for (const row of body.trimEnd().split('\n')) {
      const [, room = '', , imported = ''] = row.split('|').map((cell) => cell.trim().replaceAll('`', ''));
      const [folder] = room.split('/');
      const named = imported === '–' ? [] : imported.split(', ');
      told[room] =
        imported === 'all of the above'
          ? Object.keys(told)
          : named.map((name) => (name.startsWith('src/') ? name : `${folder}/${name}`));
    }
    expect(told).toEqual(ROOMS);
  });

  test('no room knows itself by way of others', () => {
    const ways = (room: string, way: readonly string[]): string[] =>
      way.includes(room)
        ? [[...way, room].join(' → ')]
        : (ROOMS[room] ?? []).flatMap((next) => ways(next, [...way, room]));
    expect(Object.keys(ROOMS).flatMap((room) => ways(room, []))).toEqual([]);
  });

  test('no file imports itself by way of others', () => {
    const cycles: string[] = [];
    const done = new Set<string>();
    const visit = (path: string, way: readonly string[]): void => {
      if (way.includes(path)) cycles.push([...way.slice(way.indexOf(path)), path].join(' → '));
      if (way.includes(path) || done.has(path)) return;
      const source = sources.find((each) => each.path === path);
      for (const name of source?.imports ?? []) {
        const target = targetOf(path, name);
        if (paths.has(target)) visit(target, [...way, path]);
      }
      done.add(path);
    };
    for (const { path } of sources) visit(path, []);
    expect(cycles).toEqual([]);
  });
});

/**
 * Where a class of the language or of Node may be asked for by `instanceof`. It fails for what comes from another
 * realm: a `node:vm` context, the sandbox in which Jest runs each test file, another window; types.isDate of node:util
 * and the like do not.
 */
const ASKED_BY_CLASS: readonly { readonly name: string; readonly in: RegExp; readonly why: string }[] = [
  { name: 'KeyObject', in: /^src\/cookies\/keys\.ts$/, why: 'a class of node:crypto: one for all realms of a thread' },
  { name: 'ServerResponse', in: /^src\/http\//, why: 'a class of node:http: one for all realms of a thread' },
  { name: 'Duplex', in: /^src\/http\//, why: 'a class of node:stream: one for all realms of a thread' },
  { name: 'Readable', in: /^src\/http\//, why: 'a class of node:stream: one for all realms of a thread' },
];

describe('what may come from another realm', () => {
  const asked = sources.flatMap(({ path, text }) =>
    [...text.matchAll(/\binstanceof (\w+)/g)].map(([, name = '']) => ({ path, text, name })),
  );
  const isOwn = ({ name, text }: { readonly name: string; readonly text: string }) =>
    new RegExp(`\\bclass ${name}\\b`).test(text) ||
    [...text.matchAll(/^import (?!type)[^;]*?from '([^']+)'/gm)].some(
      ([line, from = '']) => new RegExp(`\\b${name}\\b`).test(line) && !isBuiltin(from),
    );

  test('is not judged by its class: instanceof is asked of own classes and of packages’, with few exceptions', () => {
    const isListed = ({ path, name }: { readonly path: string; readonly name: string }) =>
      ASKED_BY_CLASS.some((listed) => listed.name === name && listed.in.test(path));
    expect(asked.length).toBeGreaterThan(20);
    const wrong = asked.filter((each) => !isOwn(each) && !isListed(each));
    expect(wrong.map(({ path, name }) => `${path}: instanceof ${name}`)).toEqual([]);
    expect(ASKED_BY_CLASS.filter(({ name }) => !asked.some((each) => each.name === name))).toEqual([]);
  });
});

describe('how the files are cut', () => {
  test('there are no default exports', () => {
    const named = sources.filter(
      ({ path, text }) => !path.endsWith('.d.ts') && /^export default\b|\bas default\b/m.test(text),
    );
    expect(named.map(({ path }) => path)).toEqual([]);
  });

  test('index.ts re-exports, and does nothing else', () => {
    const { text } = sources.find(({ path }) => path === 'src/index.ts') as Source;
    const rest = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/export (?:type )?(?:\*|\{[^}]*\}) from '[^']+';/g, '');
    expect(rest.trim()).toBe('');
  });

  test('no file is a drawer for anything', () => {
    expect(
      [...paths].filter(
        (path) =>
          /(?:utils?|helpers?|misc|common)\.ts$/.test(path) || (/index\.ts$/.test(path) && path !== 'src/index.ts'),
      ),
    ).toEqual([]);
  });
});
