/** The public types, as their source declares them. */

import { readdirSync, readFileSync } from 'node:fs';
import { parseSync } from 'rolldown/utils';

const folder = new URL('../../src/types/', import.meta.url);

const declared = readdirSync(folder).flatMap((name) => {
  const { program } = parseSync(name, readFileSync(new URL(name, folder), 'utf8'));
  return program.body.flatMap((statement) =>
    statement.type === 'ExportNamedDeclaration' && statement.declaration?.type === 'TSInterfaceDeclaration'
      ? [statement.declaration]
      : [],
  );
});

/** The names of the members that an interface of src/types/ declares itself: not those that it inherits. */
export function membersOf(name: string): string[] {
  const found = declared.find(({ id }) => id.name === name);
  if (found === undefined) throw new Error(`src/types/ has no interface ${name}`);
  return found.body.body.flatMap((member) => {
    if (!('key' in member) || member.computed) return [];
    if (member.key.type === 'Identifier') return [member.key.name];
    return member.key.type === 'Literal' ? [String(member.key.value)] : [];
  });
}
