/**
 * The programs of README and docs/ print what is shown, their tables say what the package does, and what they point to
 * is there.
 */

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaults, texts } from '../support/internals.js';
import { membersOf } from '../support/members.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const docs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
/** The text of each page, by its path from the root. */
const pages = new Map(
  ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...docs.map((name) => `docs/${name}`)].map((path) => [
    path,
    readFileSync(join(root, path), 'utf8'),
  ]),
);

function page(path: string): string {
  const text = pages.get(path);
  if (text === undefined) throw new Error(`there is no ${path}`);
  return text;
}

/** What the fences of one language hold, of all pages. */
function fenced(language: string): { readonly path: string; readonly text: string }[] {
  return [...pages].flatMap(([path, all]) =>
    [...all.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
      .filter(([, name]) => name === language)
      .map(([, , text = '']) => ({ path, text })),
  );
}

/** The programs with their file names, which stand in their first lines. */
const programs = fenced('js').map(({ path, text }) => ({
  path,
  file: /^\/\/ (\S+\.js)\n/.exec(text)?.[1] ?? '',
  text,
}));
/** Which file is run, and what it prints. */
const runs = fenced('console').map(({ path, text }) => {
  const [, file = '', printed = ''] = /^\$ node (\S+)\n([\s\S]*)$/.exec(text) ?? [];
  return { path, file, printed };
});

/** Tokens differ from run to run. */
const masked = (text: string): string => text.replace(/[\w-]{43}/g, '<token>');

describe('the programs of README and docs/', () => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'coatcheck-readme-'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules/coatcheck'));
    for (const name of ['cookie', 'piscina', 'express', 'express-session', 'fastify', 'hono', 'koa']) {
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
    }
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    for (const { file, text } of programs) writeFileSync(join(folder, file), text);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(runs)('$path: $file prints what is shown', ({ file, printed }) => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [file], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect({ stdout: masked(stdout), stderr, status }).toEqual({ stdout: masked(printed), stderr: '', status: 0 });
  });

  test('each program has a name of its own, and is run or used by one that is, on its page', () => {
    expect(runs.length).toBeGreaterThan(12);
    const used = runs.flatMap(({ path, file }) => {
      const { text = '' } = programs.find((program) => program.path === path && program.file === file) ?? {};
      return [...text.matchAll(/'\.\/(\S+\.js)'/g)].map(([, name]) => `${path} ${name}`);
    });
    const run = runs.map(({ path, file }) => `${path} ${file}`);
    expect(programs.map(({ path, file }) => `${path} ${file}`).sort()).toEqual([...run, ...used].sort());
    expect(new Set(programs.map(({ file }) => file)).size).toBe(programs.length);
  });
});

/** The cells of the rows of the table with this head, on this page. */
function rows(path: string, head: string): string[][] {
  const [, after] = page(path).split(`\n| ${head} |`);
  if (after === undefined) throw new Error(`${path} has no table with the head ${head}`);
  const [body = ''] = after.split('\n\n');
  return body
    .trimEnd()
    .split('\n')
    .slice(2)
    .map((row) =>
      row
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** The second cells of a table's rows, by the first. */
function table(path: string, head: string): Map<string, string> {
  return new Map(rows(path, head).map(([name = '', value = '']) => [name.replaceAll('`', ''), value]));
}

describe('the tables of README and docs/', () => {
  /** A value as the pages write it. */
  function written(value: unknown): string {
    if (typeof value === 'string') return `\`'${value}'\``;
    if (typeof value === 'object')
      return `\`${JSON.stringify(value)
        .replace(/"(\w+)":/g, ' $1: ')
        .replaceAll('"', "'")
        .replace('}', ' }')}\``;
    return `\`${String(value).replace(/\B(?=(?:\d{3})+$)/g, '_')}\``;
  }

  const optionsPage = page('docs/options.md');
  const later = ['hooks'];

  test('every option stands there, and those that are not supported yet stand where it says so', () => {
    const options = [...membersOf('ManagerOptions'), ...membersOf('ConnectOptions')];
    expect([...table('docs/options.md', 'option').keys()].sort()).toEqual(
      options.filter((name) => !later.includes(name)).sort(),
    );
    expect([...table('docs/options.md', '`cookie` option').keys()].sort()).toEqual(
      membersOf('CookieOptions')
        .filter((name) => !later.includes(name))
        .sort(),
    );
    const paragraph = /## Not supported yet\n\n[\s\S]*?\n\n/.exec(optionsPage)?.[0] ?? '';
    for (const name of [...later, 'lmdb', 'redis']) expect(paragraph).toContain(name);
  });

  test('every default is the one that holds', () => {
    const { cookie, grace, rotationGrace, maxBytes, ...others } = defaults;
    const options = table('docs/options.md', 'option');
    for (const [name, value] of Object.entries(others))
      expect([name, options.get(name)]).toEqual([name, written(value)]);
    expect(options.get('maxBytes')).toBe("1 GiB or a quarter of the machine's memory, whichever is less");
    expect(maxBytes).toBe(Math.min(2 ** 30, Math.floor(totalmem() / 4)));
    const { nameUnlessSecure, ...cookies } = cookie;
    const cookieOptions = table('docs/options.md', '`cookie` option');
    for (const [name, value] of Object.entries(cookies))
      expect([name, cookieOptions.get(name)]).toEqual([name, written(value)]);
    expect(optionsPage).toContain(`\`'${nameUnlessSecure}'\` where \`secure\` is false`);
    expect(page('docs/api.md')).toContain(`\`grace\` (default \`'${grace}'\`)`);
    expect(optionsPage).toContain(`\`grace\` (\`'${rotationGrace}'\` where it is left out)`);
  });

  test('the options that the README names have the same defaults there', () => {
    const options = table('docs/options.md', 'option');
    const named = [...table('README.md', 'option')];
    expect(named).toHaveLength(6);
    for (const [name, value] of named) if (name !== 'cookie') expect([name, value]).toEqual([name, options.get(name)]);
  });

  test('all that the adapters have stands there', () => {
    const declared = (file: string, name: string) => {
      const text = readFileSync(join(root, 'src/http/options', `${file}.ts`), 'utf8');
      const body = new RegExp(`^export interface ${name}\\b.*\\{\\n([\\s\\S]*?)^\\}`, 'm').exec(text)?.[1] ?? '';
      return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[<(:]/gm)].map(([, member]) => member ?? '');
    };
    const namesIn = (head: string) =>
      [...table('docs/http.md', head).keys()].flatMap((cell) =>
        cell.split(', ').map((each) => each.replace(/\(.*/, '')),
      );
    const members = namesIn("of a request's `session`").filter((name) => /^\w+$/.test(name));
    expect(members.sort()).toEqual(declared('types', 'RequestSession').sort());
    expect(namesIn('adapter option').sort()).toEqual(declared('options', 'HttpOptions').sort());
  });

  test('every code stands there', () => {
    const codes = [...table('docs/failures.md', 'code').keys()].flatMap((cell) => cell.split(', '));
    expect(codes.sort()).toEqual(Object.keys(texts).sort());
  });

  test.each(['SessionManager', 'Session', 'SessionInfo', 'NewSession', 'SessionFilter', 'SessionEvents'])(
    'every member of %s is named',
    (name) => {
      const members = membersOf(name);
      expect(members.length).toBeGreaterThan(3);
      const text = page('docs/api.md');
      const unnamed = members.filter(
        (member) => !text.includes(`\`${member}`) && !new RegExp(`[{ ]${member}[ ,]`).test(text),
      );
      expect(unnamed).toEqual([]);
    },
  );

  test('every event and every figure of stats() has a row, and no other does', () => {
    const names = (head: string) => [...table('docs/api.md', head).keys()].flatMap((cell) => cell.split(', '));
    expect(names('event').sort()).toEqual(membersOf('SessionEvents').sort());
    const figures = names('field of `stats()`').map((name) => name.replace(/\..*/, ''));
    expect([...new Set(figures)].sort()).toEqual(membersOf('ManagerStats').sort());
  });

  test('every option of the torture has a row with its default', () => {
    const text = readFileSync(join(root, 'test/torture/main.js'), 'utf8');
    const declared = text
      .split('.option(')
      .slice(1)
      .map((option) => {
        const [name] = /--\w+/.exec(option) ?? [];
        const [, number] = /number, ([\d_]+)/.exec(option.replaceAll(/\s+/g, ' ')) ?? [];
        return [name, number === undefined ? 'off' : Number(number.replaceAll('_', ''))];
      });
    expect(declared).toHaveLength(8);
    const named = rows('CONTRIBUTING.md', 'option of `npm run torture --`').map(([name = '', value = '']) => [
      name.replaceAll('`', '').split(' ')[0],
      /^[\d,]+$/.test(value) ? Number(value.replaceAll(',', '')) : value,
    ]);
    const known = declared.map(([name, value]) => [name, name === '--seed' ? 'random' : value]);
    expect(named.sort()).toEqual(known.sort());
  });
});

describe('the pages', () => {
  /** The anchors of a page's headings, as GitHub makes them. */
  const anchorsOf = (path: string) =>
    [...page(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );

  /** The text without what stands in fences. */
  const prose = (path: string) => page(path).replace(/^```[\s\S]*?^```$/gm, '');

  test.each([...pages.keys()])('%s keeps to its form', (path) => {
    const lines = page(path).split('\n');
    expect(lines.filter((line) => line.length > 120)).toEqual([]);
    if (path === 'README.md') expect(lines.length - 1).toBeLessThanOrEqual(200);
    else expect(prose(path)).toMatch(/^# .*\n\nThis page is for /);
  });

  test.each([...pages.keys()])('what %s links to is there', (path) => {
    const links = [...prose(path).matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link ?? '');
    const broken = links
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => {
        const [to = '', anchor] = link.split('#');
        const target = to === '' ? path : posix.join(posix.dirname(path), to);
        if (!existsSync(join(root, target))) return true;
        return anchor !== undefined && !anchorsOf(target).includes(anchor);
      });
    expect(broken).toEqual([]);
  });

  test('the README leads to every page', () => {
    const text = [...pages.keys()]
      .filter((path) => !path.startsWith('docs/http-'))
      .map(page)
      .join('\n');
    const unlinked = docs.filter(
      (name) => !text.includes(`(docs/${name}`) && !page('docs/http.md').includes(`(${name}`),
    );
    expect(unlinked).toEqual([]);
  });

  test('files that a page names are there', () => {
    const missing = [...pages.keys()].flatMap((path) =>
      [...prose(path).matchAll(/`((?:src|worker|test|bench|docs|\.ci)\/[\w./-]*)`/g)]
        .map(([, name]) => name ?? '')
        .filter((name) => !existsSync(join(root, name)))
        .map((name) => `${path}: ${name}`),
    );
    expect(missing).toEqual([]);
  });
});
