/** The README's programs print what it says they print, and its tables say what the package does. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaults, texts } from '../support/internals.js';
import { membersOf } from '../support/members.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** What the fences of one language hold. */
function fenced(language: string): string[] {
  return [...readme.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , text]) => text ?? '');
}

/** The programs by their file names, which stand in their first lines. */
const programs = new Map(fenced('js').map((text) => [/^\/\/ (\S+\.js)\n/.exec(text)?.[1] ?? '', text]));
/** Which file is run, and what it prints. */
const runs = fenced('console').map((text) => {
  const [, file = '', printed = ''] = /^\$ node (\S+)\n([\s\S]*)$/.exec(text) ?? [];
  return { file, printed };
});

/** Tokens differ from run to run. */
const masked = (text: string): string => text.replace(/[\w-]{43}/g, '<token>');

describe('the programs of the README', () => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'coatcheck-readme-'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules/coatcheck'));
    for (const name of ['cookie', 'piscina', 'express', 'express-session', 'fastify', 'hono', 'koa']) {
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
    }
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    for (const [name, text] of programs) writeFileSync(join(folder, name), text);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(runs)('$file prints what is shown', ({ file, printed }) => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [file], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect({ stdout: masked(stdout), stderr, status }).toEqual({ stdout: masked(printed), stderr: '', status: 0 });
  });

  test('each program has a name, and is run or used by one that is', () => {
    expect(runs.length).toBeGreaterThan(3);
    const run = runs.map(({ file }) => file);
    const used = run.flatMap((file) =>
      [...(programs.get(file) ?? '').matchAll(/'\.\/(\S+\.js)'/g)].map(([, name]) => name),
    );
    expect([...programs.keys()].sort()).toEqual([...run, ...used].sort());
  });
});

describe('the tables of the README', () => {
  /** The rows of the table with this head, by their first cell. */
  function table(head: string): Map<string, string> {
    const start = readme.indexOf(`\n| ${head} |`);
    const rows =
      readme
        .slice(start + 1)
        .split('\n\n')[0]
        ?.split('\n')
        .slice(2) ?? [];
    return new Map(
      rows.map((row) => {
        const [, name = '', value = ''] = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
        return [name.replaceAll('`', ''), value];
      }),
    );
  }

  /** A value as the README writes it. */
  function written(value: unknown): string {
    if (typeof value === 'string') return `\`'${value}'\``;
    if (typeof value === 'object')
      return `\`${JSON.stringify(value)
        .replace(/"(\w+)":/g, ' $1: ')
        .replaceAll('"', "'")
        .replace('}', ' }')}\``;
    return `\`${String(value).replace(/\B(?=(?:\d{3})+$)/g, '_')}\``;
  }

  const later = ['hooks'];

  test('every option stands there, and those that are not supported yet stand where it says so', () => {
    const options = [...membersOf('ManagerOptions'), ...membersOf('ConnectOptions')];
    expect([...table('option').keys()].sort()).toEqual(options.filter((name) => !later.includes(name)).sort());
    expect([...table('`cookie` option').keys()].sort()).toEqual(
      membersOf('CookieOptions')
        .filter((name) => !later.includes(name))
        .sort(),
    );
    const paragraph = /\*\*Not supported yet\.\*\*[\s\S]*?\n\n/.exec(readme)?.[0] ?? '';
    for (const name of [...later, 'lmdb', 'redis']) expect(paragraph).toContain(name);
  });

  test('every default is the one that holds', () => {
    const { cookie, grace, rotationGrace, maxBytes, ...others } = defaults;
    const options = table('option');
    for (const [name, value] of Object.entries(others))
      expect([name, options.get(name)]).toEqual([name, written(value)]);
    expect(options.get('maxBytes')).toBe("1 GiB or a quarter of the machine's memory, whichever is less");
    expect(maxBytes).toBe(Math.min(2 ** 30, Math.floor(totalmem() / 4)));
    const { nameUnlessSecure, ...cookies } = cookie;
    const cookieOptions = table('`cookie` option');
    for (const [name, value] of Object.entries(cookies))
      expect([name, cookieOptions.get(name)]).toEqual([name, written(value)]);
    expect(readme).toContain(`\`'${nameUnlessSecure}'\` where \`secure\` is false`);
    expect(readme).toContain(`\`grace\` (default \`'${grace}'\`)`);
    expect(readme).toContain(`\`grace\` (\`'${rotationGrace}'\` where it is left out)`);
  });

  test('all that the adapters have stands there', () => {
    const declared = (file: string, name: string) => {
      const text = readFileSync(join(root, 'src/http/options', `${file}.ts`), 'utf8');
      const body = new RegExp(`^export interface ${name}\\b.*\\{\\n([\\s\\S]*?)^\\}`, 'm').exec(text)?.[1] ?? '';
      return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[<(:]/gm)].map(([, member]) => member ?? '');
    };
    const namesIn = (head: string) =>
      [...table(head).keys()].flatMap((cell) => cell.split(', ').map((each) => each.replace(/\(.*/, '')));
    const members = namesIn("of a request's `session`").filter((name) => /^\w+$/.test(name));
    expect(members.sort()).toEqual(declared('types', 'RequestSession').sort());
    expect(namesIn('adapter option').sort()).toEqual(declared('options', 'HttpOptions').sort());
  });

  test('every code stands there', () => {
    const codes = [...table('code').keys()].flatMap((cell) => cell.split(', '));
    expect(codes.sort()).toEqual(Object.keys(texts).sort());
  });

  test.each(['SessionManager', 'Session', 'SessionInfo', 'NewSession', 'SessionFilter', 'SessionEvents'])(
    'every member of %s is named',
    (name) => {
      const members = membersOf(name);
      expect(members.length).toBeGreaterThan(3);
      const unnamed = members.filter(
        (member) => !readme.includes(`\`${member}`) && !new RegExp(`[{ ]${member}[ ,]`).test(readme),
      );
      expect(unnamed).toEqual([]);
    },
  );
});
