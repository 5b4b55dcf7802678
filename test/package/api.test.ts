/** The public types: `api/` shows all of them, so that a change of one shows in review. */

import { beforeAll, describe, expect, test } from 'vitest';
import { type ApiReport, apiReports } from '../support/api-reports.js';

const ACCEPT =
  'The public types have changed. To accept: npm run -s build && npx vitest run test/package/api.test.ts -u';

describe('the public types', () => {
  let reports: ApiReport[] = [];

  beforeAll(() => {
    reports = apiReports();
  });

  test.each(['index', 'testing', 'express', 'express-session', 'fastify', 'hono', 'koa'])(
    'of %s are those that were accepted',
    async (name) => {
      const report = reports.find((each) => each.name === name);
      await expect(report?.text, ACCEPT).toMatchFileSnapshot(`api/${name}.api.md`);
    },
  );

  test('are shown for every entry point', () => expect(reports).toHaveLength(7));

  test('that an entry point needs are all shown', () => {
    const shown = new Set(reports.flatMap(({ text }) => [...text.matchAll(DECLARED)].map(([, name]) => name)));
    const missing = reports.flatMap(({ name, unexported }) =>
      unexported.filter((type) => !shown.has(type)).map((type) => `${type}, which ${name} needs`),
    );
    expect(missing).toEqual([]);
  });
});

const DECLARED = /^(?:export )?(?:interface|type|class|const|function) (\w+)/gm;
