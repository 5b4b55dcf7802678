/** The types that each entry point of the package has, as API Extractor finds them in what is built. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CompilerState, Extractor, ExtractorConfig, type ExtractorMessage } from '@microsoft/api-extractor';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface ApiReport {
  /** 'index', or as it is imported: 'express' for `coatcheck/express`. */
  readonly name: string;
  readonly text: string;
  /** Types of ours that it names and does not export. */
  readonly unexported: readonly string[];
}

/** One for each entry point in package.json. */
export function apiReports(): ApiReport[] {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { './package.json': _, ...exported } = manifest.exports as Record<string, { types: string }>;
  const entries = Object.entries(exported).map(([name, { types }]) => ({
    name: name === '.' ? 'index' : name.slice(2),
    declarations: join(root, types),
  }));
  const folder = mkdtempSync(join(tmpdir(), 'coatcheck-api-'));
  try {
    const configs = entries.map(({ name, declarations }) => configOf(name, declarations, folder));
    const [first] = configs;
    if (first === undefined) throw new Error('package.json exports nothing');
    const additionalEntryPoints = entries.map(({ declarations }) => declarations);
    const compilerState = CompilerState.create(first, { additionalEntryPoints });
    return entries.map(({ name, declarations }, i) => {
      const unexported: string[] = [];
      const messageCallback = (message: ExtractorMessage) => {
        message.handled = message.logLevel !== 'error';
        const [, symbol] = message.messageId === 'ae-forgotten-export' ? (/"(\w+)"/.exec(message.text) ?? []) : [];
        if (symbol !== undefined) unexported.push(symbol);
      };
      Extractor.invoke(configs[i] as ExtractorConfig, { localBuild: true, compilerState, messageCallback });
      return { name, text: reportOf(name, join(folder, `${name}.api.md`), declarations), unexported };
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function configOf(name: string, declarations: string, folder: string): ExtractorConfig {
  return ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, 'package.json'),
    configObject: {
      projectFolder: root,
      newlineKind: 'lf',
      mainEntryPointFilePath: declarations,
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            target: 'ES2022',
            lib: ['ES2023', 'ESNext.Disposable'],
            module: 'NodeNext',
            types: ['node'],
            strict: true,
            exactOptionalPropertyTypes: true,
            skipLibCheck: true,
          },
          files: [declarations],
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: name,
        reportFolder: folder,
        reportTempFolder: join(folder, 'temp'),
        // The main entry point shows what the others need of it.
        includeForgottenExports: name === 'index',
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
    },
  });
}

/** Types alone: comments may change without a word here. */
function reportOf(name: string, path: string, declarations: string): string {
  const [, types] = /```ts\n([\s\S]*?)```/.exec(readFileSync(path, 'utf8')) ?? [];
  if (types === undefined) throw new Error(`API Extractor says nothing of ${name}`);
  const code = types.replace(/^ *\/\/ .*\n| \/\*\*.*?\*\//gm, '');
  // What it adds to the types of others, which API Extractor leaves out.
  const added = readFileSync(declarations, 'utf8')
    .replace(/^ *\/\*\*[\s\S]*?\*\/\n/gm, '')
    .match(/^declare (?:global|module '.*') \{\n[\s\S]*?^\}\n/gm);
  return `# coatcheck${name === 'index' ? '' : `/${name}`}

Written by \`api.test.ts\`, which says how to accept a change.

\`\`\`ts
${[code.trim(), ...(added ?? []).map((each) => each.trim())].join('\n\n')}
\`\`\`
`;
}
