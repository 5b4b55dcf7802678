/** A reporter for the end of `npm test`: how many tests that was, and what it leaves to `npm run test:faults`. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Reporter, TestModule, Vitest } from 'vitest/node';

const folder = fileURLToPath(new URL('..', import.meta.url));

export default class LeftOut implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const projects = this.#vitest?.projects ?? [];
    const left = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.test.ts'))
      .filter((path) => !projects.some((project) => project.matchesTestGlob(join(folder, path))))
      .map((path) => path.replaceAll('\\', '/').replace('.test.ts', ''));
    const ran = modules.reduce((sum, { children }) => sum + [...children.allTests()].length, 0);
    const names = left.sort().join(', ');
    console.log(
      `\n${ran} tests in ${modules.length} files. Left to \`npm run test:faults\`: ${left.length} files, ${names}.\n`,
    );
  }
}
