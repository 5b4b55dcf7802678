/**
 * Where a seeded bug goes: a declaration, by its name, and in it a run of tokens. So that neither formatting nor a move
 * to another file loses it, white space, comments, quotes and trailing commas do not count, and the declaration is
 * looked for in all sources.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import tokensOf from 'js-tokens';
import { parseSync } from 'rolldown/utils';

const IGNORED = new Set(['WhiteSpace', 'LineTerminatorSequence', 'SingleLineComment', 'MultiLineComment']);
const CLOSERS = new Set([')', ']', '}']);

/**
 * The one place in the tree at `root` that a bug means: the file, its text, and from where to where `find` stands in
 * it. Throws if there is none, or more than one.
 *
 * `in` is a function, class, constant, interface or type at the top of a file, or `Class.member` (`Class.#member`,
 * `Class.constructor`). `file` is only for a name that several files declare.
 *
 * @param {{ in: string, find: string, file?: string }} bug
 * @param {string} root
 */
export function placeOf({ in: name, find, file }, root) {
  const declared = declarationsIn(root).get(name) ?? [];
  const named = declared.filter(({ source }) => file === undefined || source.file === file);
  const files = new Set(named.map(({ source }) => source.file));
  if (files.size === 0) throw new Error(`no ${name} is declared in ${file ?? 'src/ or worker/'}`);
  if (files.size > 1) throw new Error(`${name} is declared in ${[...files].join(' and in ')}: say which file`);

  const wanted = significant(find);
  const places = named.flatMap(({ source, start, end }) => {
    const tokens = source.tokens.filter((token) => token.start >= start && token.end <= end);
    return tokens.flatMap(({ start }, at) => {
      const after = matchedUntil(wanted, tokens, at);
      return after < 0 ? [] : [{ file: source.file, text: source.text, start, end: tokens[after - 1].end }];
    });
  });
  if (places.length !== 1) throw new Error(`${name} has ${places.length} places, not one, with: ${find}`);
  return places[0];
}

/** The text of the file that the bug is in, with the bug. */
export function withBug({ text, start, end }, replace) {
  return text.slice(0, start) + replace + text.slice(end);
}

/** The index after the last of `tokens` that `wanted` matches from `at` on; -1 if it does not. */
function matchedUntil(wanted, tokens, at) {
  for (let i = 0; i < wanted.length; i++) {
    if (tokens[at]?.value !== wanted[i].value && i > 0 && isTrailingComma(tokens, at)) at++;
    if (tokens[at]?.value === wanted[i].value) at++;
    else if (i === 0 || !isTrailingComma(wanted, i)) return -1;
  }
  return at;
}

function isTrailingComma(tokens, at) {
  return tokens[at]?.value === ',' && (tokens[at + 1] === undefined || CLOSERS.has(tokens[at + 1].value));
}

/** The tokens that count, with where they stand. */
export function significant(text) {
  const tokens = [];
  let start = 0;
  for (const { type, value, closed } of tokensOf(text)) {
    if (type === 'Invalid' || closed === false) throw new Error(`not made of whole tokens: ${text}`);
    const end = start + value.length;
    if (!IGNORED.has(type)) tokens.push({ value: type === 'StringLiteral' ? unquoted(value) : value, start, end });
    start = end;
  }
  return tokens;
}

/** The same for 'a' and "a". */
function unquoted(literal) {
  return `'${literal.slice(1, -1).replace(/\\(["'])/g, '$1')}'`;
}

const byRoot = new Map();

/** By name, every declaration of that name: the file it is in, and from where to where it goes. */
function declarationsIn(root) {
  const known = byRoot.get(root);
  if (known !== undefined) return known;
  const declarations = new Map();
  byRoot.set(root, declarations);
  for (const folder of ['src', 'worker']) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      const file = `${folder}/${name.replaceAll('\\', '/')}`;
      const text = readFileSync(join(root, file), 'utf8');
      const { program, errors } = parseSync(file, text);
      if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
      const source = { file, text, tokens: significant(text) };
      for (const [declared, { start, end }] of program.body.flatMap(namedIn)) {
        declarations.set(declared, [...(declarations.get(declared) ?? []), { source, start, end }]);
      }
    }
  }
  return declarations;
}

/** What a statement declares, with names. */
function namedIn(statement) {
  switch (statement.type) {
    case 'ExportNamedDeclaration':
      return statement.declaration === null ? [] : namedIn(statement.declaration);
    case 'VariableDeclaration':
      return statement.declarations.flatMap(({ id }) => (id.type === 'Identifier' ? [[id.name, statement]] : []));
    // `declare module 'other'`: what it declares.
    case 'TSModuleDeclaration':
      return statement.body?.body.flatMap(namedIn) ?? [];
    case 'ClassDeclaration':
      return [[statement.id.name, statement], ...statement.body.body.flatMap((each) => memberIn(statement, each))];
    default:
      return statement.id?.type === 'Identifier' ? [[statement.id.name, statement]] : [];
  }
}

function memberIn(of, member) {
  if (member.key === undefined || member.computed) return [];
  const name = member.key.type === 'PrivateIdentifier' ? `#${member.key.name}` : (member.key.name ?? member.key.value);
  return [[`${of.id.name}.${name}`, member]];
}
