/**
 * Bugs that somebody could make, each the loss of one safeguard, and for each the test that misses it: in the
 * declaration `in`, `find` gives way to `replace`. How the place is found: `place.js`. That each has one, and that its
 * test is there: `list.test.ts`.
 *
 * From the table outwards.
 */

import { ofCalls } from './calls.js';
import { ofCookies } from './cookies.js';
import { ofData } from './data.js';
import { ofDeaths } from './deaths.js';
import { ofHttp } from './http.js';
import { ofKeyed } from './keyed.js';
import { ofMemory } from './memory.js';
import { ofRules } from './rules.js';
import { ofSchemas } from './schema.js';
import { ofSignals } from './signals.js';
import { ofSteps } from './steps.js';
import { ofTable } from './table.js';

export const bugs = [
  ...ofTable,
  ...ofMemory,
  ...ofRules,
  ...ofCalls,
  ...ofData,
  ...ofDeaths,
  ...ofSteps,
  ...ofSignals,
  ...ofCookies,
  ...ofKeyed,
  ...ofSchemas,
  ...ofHttp,
];
