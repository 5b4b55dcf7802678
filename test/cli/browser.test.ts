/**
 * The demo as people use it: in Chromium, two browsers of one user. Left out, with a word, where there is no Chromium,
 * unless COATCHECK_BROWSER is 'required'.
 */

import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createManualClock } from '../../dist/src/testing.js';
import { type Demo, startDemo } from '../support/internals.js';
import { findChromium } from './chromium.js';

const executablePath = findChromium();
const isLeftOut = executablePath === undefined && process.env.COATCHECK_BROWSER !== 'required';
if (isLeftOut)
  console.log(
    'LEFT OUT: the demo in a browser, as there is no chromium on the PATH: install it, or name it in CHROMIUM.',
  );

/** By when a page has to show what it is to show. */
const timeout = 15_000;

// Only where there is no browser and none is required: the check of all that ships requires one.
describe.skipIf(isLeftOut)('the demo in a browser', () => {
  const clock = createManualClock(new Date());
  let demo: Demo | undefined;
  let browser: Browser | undefined;
  const contexts: BrowserContext[] = [];
  /** What the pages complain of: a blocked script, an error thrown. */
  const complaints: string[] = [];

  beforeAll(async () => {
    if (executablePath === undefined) throw new Error('COATCHECK_BROWSER is required, and there is no Chromium');
    demo = await startDemo(0, { clock });
    const isRoot = process.getuid?.() === 0;
    browser = await chromium.launch({ executablePath, args: isRoot ? ['--no-sandbox'] : [], timeout: 45_000 });
  });

  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    expect(complaints.splice(0)).toEqual([]);
  });

  afterAll(async () => {
    await browser?.close();
    await demo?.stop();
  });

  /** A browser of its own, as far as cookies go, with the welcome page open. */
  async function open(): Promise<Page> {
    const context = (await browser?.newContext({ baseURL: demo?.url ?? '' })) as BrowserContext;
    contexts.push(context);
    context.setDefaultTimeout(timeout);
    const page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      // That a page was answered with 401 is told there as well.
      if (message.type() === 'error' && !message.text().includes('401')) complaints.push(message.text());
    });
    await page.goto('/');
    return page;
  }

  async function openAs(user: string): Promise<Page> {
    const page = await open();
    await page.getByLabel('Your name').fill(user);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('heading', { name: `Welcome, ${user}.` }).waitFor();
    return page;
  }

  const goTo = (page: Page, name: string) => page.getByRole('banner').getByRole('link', { name, exact: true }).click();
  const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name }).waitFor();

  test('logs in and out', async () => {
    const page = await openAs('Ada');
    await page.getByRole('button', { name: 'Log out Ada' }).click();
    await heading(page, 'Hand in your name');
    await page.goto('/devices');
    await page.getByText('Log in again?').waitFor();
  });

  test('keeps its cookie from scripts', async () => {
    const page = await openAs('Ada');
    const [cookie, ...others] = await page.context().cookies();
    expect(others).toEqual([]);
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', expires: -1 });
    expect(await page.evaluate('document.cookie')).toBe('');
  });

  test('takes no form from another site’s page, and opens no socket to it', async () => {
    const page = await openAs('Ada');
    const foreign = await page.context().newPage();
    const evil = 'http://evil.example/';
    const body = `<form method="post" action="${demo?.url}devices/revoke-others"><button>Win a coat</button></form>`;
    await foreign.route(evil, (route) => route.fulfill({ contentType: 'text/html', body }));

    await foreign.goto(evil);
    const live = JSON.stringify(`${demo?.url.replace('http', 'ws')}live/socket`);
    const opened = `new Promise((resolve) => {
      const socket = new WebSocket(${live});
      socket.onopen = () => resolve('open');
      socket.onclose = () => resolve('refused');
    })`;
    expect(await foreign.evaluate(opened)).toBe('refused');

    await foreign.getByRole('button', { name: 'Win a coat' }).click();
    await heading(foreign, 'Not from there');
    await page.reload();
    await heading(page, 'Welcome, Ada.');
  });

  test('revokes a second browser from the first: its socket ends, its page says so, and it has to log in again', async () => {
    const first = await openAs('Grace');
    const second = await openAs('Grace');
    const socket = second.waitForEvent('websocket');
    await goTo(second, 'Live');
    await second.getByText('Your session is alive.').waitFor();
    const closed = (await socket).waitForEvent('close');

    await goTo(first, 'Your devices');
    const tickets = first.getByRole('article');
    expect(await tickets.count()).toBe(2);
    await tickets.filter({ hasNotText: 'this one' }).getByRole('button').click();
    await first.getByText('One other device is logged out.').waitFor();
    expect(await tickets.count()).toBe(1);

    await closed;
    await second.getByText('Your session has ended: it was logged out.').waitFor();
    await second.reload();
    await second.getByText('Log in again?').waitFor();
    expect(await second.context().cookies()).toEqual([]);

    // The first stays as it was.
    await goTo(first, 'Your ticket');
    await heading(first, 'Welcome, Grace.');
  });

  test('shows visits live that pool threads count in another tab', async () => {
    const page = await openAs('Lin');
    await goTo(page, 'Live');
    await page.locator('#visits', { hasText: /^0$/ }).waitFor();
    const tab = await page.context().newPage();
    await tab.goto('/page/bar');
    await tab.getByText('Your first visit').waitFor();
    await page.locator('#visits', { hasText: /^1$/ }).waitFor();
  });

  test('asks to log in again before the safe opens, and keeps the session', async () => {
    const page = await openAs('Hedy');
    await goTo(page, 'The safe');
    await heading(page, 'The safe is open.');
    clock.advance('2m');
    await page.reload();
    await heading(page, 'The safe is closed.');
    await page.getByRole('button', { name: 'Log in again' }).click();
    await heading(page, 'The safe is open.');
    await page.getByText('You have logged in again.').waitFor();
    await goTo(page, 'Your devices');
    expect(await page.getByRole('article').count()).toBe(1);
  });

  test('shows a note once', async () => {
    const page = await openAs('Mary');
    await goTo(page, 'A note');
    const text = '<b>Mind</b> the "umbrella"';
    await page.getByLabel('For the next page').fill(text);
    await page.getByRole('button', { name: 'Leave it' }).click();
    await page.getByRole('status').getByText(text).waitFor();
    await page.reload();
    await heading(page, 'Leave a note.');
    expect(await page.getByText(text).count()).toBe(0);
  });
});
