/**
 * What becomes of a request whose session ends, or goes over to another token, meanwhile: a part of the adapters'
 * contract.
 */

import { describe, expect, test } from 'vitest';
import { gate, type Setting } from './contract.js';
import { everyday, setCookies } from './contract-life.js';
import { Browser, type Visit } from './sites.js';

export function endingContract({ live, manager, start }: Setting): void {
  describe('a session that ends under a request', () => {
    async function slow(after: (visit: Visit) => Promise<unknown>) {
      const [began, goOn] = [gate(), gate()];
      const running = await start({
        ...everyday,
        '/slow': async (visit) => {
          began.open();
          await goOn.opened;
          return { body: String(await after(visit)) };
        },
      });
      const visitor = new Browser(running);
      await visitor.visit('/login');
      await visitor.visit('/set?letter=private');
      const answer = visitor.visit('/slow');
      await began.opened;
      return { answer, goOn, visitor };
    }

    test('S-03 a change that comes too late is refused with 401, and nothing revives', async () => {
      for (const change of [
        ({ session }: Visit) => session.set({ a: 1 }),
        ({ session }: Visit) => session.update((data) => ({ ...data, a: 1 })),
        ({ session }: Visit) => session.take('letter'),
        ({ session }: Visit) => session.rotate(),
        ({ session }: Visit) => session.csrfToken(),
      ]) {
        const { answer, goOn, visitor } = await slow(change);
        const cookie = visitor.cookies.get('id');
        await visitor.visit('/logout');
        const sessions = await live();
        goOn.open();
        const { status, headers } = await answer;
        expect([status, headers.getSetCookie(), await live()]).toEqual([401, [], sessions]);
        expect(manager().getSession(cookie)).toBeUndefined();
      }
    });

    test('S-03 it reads as none', async () => {
      const { answer, goOn, visitor } = await slow(async ({ session }) =>
        JSON.stringify([session.userId, session.data, session.id, session.signal, session.current]),
      );
      await visitor.visit('/logout');
      goOn.open();
      expect((await answer).body).toBe('[null,{},null,null,null]');
    });

    test('S-04 a change that nobody waits for and that comes too late is no error and sets no cookie', async () => {
      const { answer, goOn, visitor } = await slow(async ({ session }) => {
        void session.set({ a: 1 });
        void session.rotate();
        return 'done';
      });
      await visitor.visit('/logout');
      goOn.open();
      const { status, headers, body } = await answer;
      expect([status, headers.getSetCookie(), body]).toEqual([200, [], 'done']);
    });

    test('S-04 a session that was begun and ended meanwhile is not handed out', async () => {
      const running = await start({
        '/': async ({ session }) => {
          await session.login('ada');
          await manager().closeAllSessions({ userId: 'ada' });
        },
      });
      expect(setCookies(await new Browser(running).visit('/'))).toEqual([]);
    });

    test('S-04 a request with the old token never hears the new one of a login that came after it', async () => {
      const { answer, goOn, visitor } = await slow(async ({ session }) => {
        const codes = [];
        for (const change of [session.rotate(), session.csrfToken()])
          codes.push(
            await change.then(
              () => 'done',
              ({ code }) => code,
            ),
          );
        return codes;
      });
      const old = visitor.cookie;
      await visitor.visit('/login?as=ada');
      const fresh = visitor.cookie;
      expect(fresh).not.toBe(old);
      goOn.open();
      const { headers, body } = await answer;
      expect([headers.getSetCookie(), body]).toEqual([[], 'ERR_TOKEN_UNKNOWN,ERR_TOKEN_UNKNOWN']);
      expect((await visitor.visit('/')).body).toBe('["ada",{"letter":"private"}]');
    });
  });
}
