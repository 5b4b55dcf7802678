/** What a schema lets in, and what is stored of it. */

import * as v from 'valibot';
import { afterEach, describe, expect, test } from 'vitest';
import { type Session, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { type Data, fits, refuses, type Schema, schemaOf } from '../support/schemas.js';

let manager: SessionManager | undefined;
afterEach(() => manager?.stop());

async function begin(schema: unknown, data?: Data): Promise<Session> {
  manager = await startSessionManager({ maxSessions: 100, maxBytes: 1_000_000, schema: schema as Schema });
  return manager.newSession(data === undefined ? {} : { data });
}

/** A session as a thread without a schema, or with an older one, has made it. */
async function beginAs(stored: Data, schema: Schema): Promise<Session> {
  let isOld = true;
  const session = await begin(
    schemaOf((data) => (isOld ? fits(data) : schema['~standard'].validate(data)) as never),
    stored,
  );
  isOld = false;
  return session;
}

const notAccepted = { code: 'ERR_INVALID_OPTION', outcome: 'not-applied', message: /accept its own output/ };
const invalid = (path: string) => ({
  code: 'ERR_INVALID_DATA',
  outcome: 'not-applied',
  message: `Expected \`${path}\` to fit the schema`,
});

describe('a schema with defaults', () => {
  const schema = v.object({
    n: v.number(),
    theme: v.optional(v.string(), 'light'),
    tags: v.optional(v.array(v.string()), []),
  });

  test('has them stored with new data and with what replaces it', async () => {
    const session = await begin(schema, { n: 1 });
    expect(session.data).toEqual({ n: 1, theme: 'light', tags: [] });
    await session.replace({ n: 2, theme: 'dark' });
    expect(session.data).toEqual({ n: 2, theme: 'dark', tags: [] });
    const keyed = await manager?.putSession('a key', { data: { n: 3 } });
    expect(keyed?.data).toEqual({ n: 3, theme: 'light', tags: [] });
  });

  test('has them stored with a patch of data that lacks them, and in place of what a patch removes', async () => {
    const session = await beginAs({ n: 1, theme: 'dark' }, schema as never);
    await session.set({ n: 2 });
    expect(session.data).toEqual({ n: 2, theme: 'dark', tags: [] });
    await session.login('ada', { theme: undefined });
    expect(session.data).toEqual({ n: 2, theme: 'light', tags: [] });
  });

  test('has them stored in place of what is taken', async () => {
    const session = await beginAs({ n: 1, theme: 'dark' }, schema as never);
    expect(await session.take('theme')).toBe('dark');
    expect(session.data).toEqual({ n: 1, theme: 'light', tags: [] });
  });
});

test('what a schema leaves out comes in with no patch', async () => {
  const session = await begin(v.object({ n: v.number() }), { n: 1, admin: true });
  await session.set({ n: 2, admin: true } as never);
  await session.login('ada', { admin: true } as never);
  expect(session.data).toEqual({ n: 2 });
});

describe('take', () => {
  test('of a key that the schema demands is refused by its path, and takes nothing', async () => {
    const session = await begin(v.object({ n: v.number(), flash: v.optional(v.string()) }), { n: 1, flash: 'saved' });
    await expect(session.take('n')).rejects.toMatchObject(invalid('data.n'));
    expect([session.data, session.version]).toEqual([{ n: 1, flash: 'saved' }, 0]);
    expect([await session.take('flash'), await session.take('flash'), await session.take('no')]).toEqual([
      'saved',
      undefined,
      undefined,
    ]);
    expect(session.data).toEqual({ n: 1 });
  });

  test('of several takers one gets the value', async () => {
    const session = await begin(v.object({ once: v.optional(v.string()) }), { once: 'saved' });
    const taken = await Promise.all(Array.from({ length: 20 }, () => session.take('once')));
    expect(taken.filter((value) => value !== undefined)).toEqual(['saved']);
  });
});

describe('a schema that transforms', () => {
  /** Not the same twice, and accepts what it makes. */
  const hashed = v.object({
    name: v.string(),
    password: v.pipe(
      v.string(),
      v.transform((text) => `hash of ${text}`),
    ),
  });

  test.each([
    ['at once', hashed as unknown as Schema],
    ['later', schemaOf(async (data) => (hashed as unknown as Schema)['~standard'].validate(data) as never)],
  ])('%s has what it was given transformed, and nothing that is stored already', async (_, schema) => {
    const session = await begin(schema, { name: 'a', password: 'x' });
    expect(session.data).toEqual({ name: 'a', password: 'hash of x' });
    await session.set({ name: 'b' });
    expect(session.data).toEqual({ name: 'b', password: 'hash of x' });
    await session.login('ada', { password: 'y' });
    expect(session.data).toEqual({ name: 'b', password: 'hash of y' });
    await session.update((data) => ({ ...data, password: 'z' }));
    expect(session.data).toEqual({ name: 'b', password: 'hash of z' });
  });

  test('into what it does not accept is refused as an option, wherever it is met first', async () => {
    const schema = v.object({ n: v.optional(v.pipe(v.string(), v.transform(Number))), text: v.optional(v.string()) });
    const session = await begin(schema);
    await expect(manager?.newSession({ data: { n: '1' } })).rejects.toMatchObject(notAccepted);
    await expect(manager?.putSession('a key', { data: { n: '1' } })).rejects.toMatchObject(notAccepted);
    for (const call of [session.set({ n: '1' }), session.replace({ n: '1' }), session.login('ada', { n: '1' })]) {
      await expect(call).rejects.toMatchObject(notAccepted);
    }
    await session.set({ text: 'fits' });
    expect([session.data, session.userId, (await manager?.stats())?.sessions]).toEqual([
      { text: 'fits' },
      undefined,
      1,
    ]);
  });

  test('has no key of its own changed by a patch of another', async () => {
    const schema = schemaOf((data) => fits({ ...data, counted: Number(data.counted ?? 0) + 1 }));
    const session = await begin(schema, {});
    await session.set({ n: 1 });
    expect(session.data).toEqual({ n: 1, counted: 1 });
  });

  test('makes data of what could not be stored', async () => {
    class Money {
      readonly cents = 5;
    }
    const schema = schemaOf((data) => {
      const { price } = data as { price: Money | number };
      return fits({ price: price instanceof Money ? price.cents : price });
    });
    const session = await begin(schema, { price: new Money() });
    expect(session.data).toEqual({ price: 5 });
  });
});

describe('what is refused', () => {
  test('says where and not what, and nothing of what the schema says or throws', async () => {
    const schema = schemaOf((data) => {
      if (data.throws) throw new Error(`a secret ${data.throws}`);
      if (data.rejects) return Promise.reject(new Error(`a secret ${data.rejects}`));
      if (data.lies) return null as never;
      return data.deep ? refuses('deep', 'er') : fits(data);
    });
    const session = await begin(schema, { n: 1 });
    const threw = { code: 'ERR_INVALID_DATA', outcome: 'not-applied', message: /it threw/ };
    await expect(session.set({ throws: 'xyz' })).rejects.toMatchObject(threw);
    await expect(session.set({ rejects: 'xyz' })).rejects.toMatchObject(threw);
    await expect(session.replace({ rejects: 'xyz' })).rejects.toMatchObject(threw);
    await expect(session.set({ lies: 'xyz' })).rejects.toMatchObject(threw);
    await expect(session.set({ deep: 'xyz' })).rejects.toMatchObject(invalid('data.deep.er'));
    for (const call of [session.set({ throws: 'xyz' }), session.set({ deep: 'xyz' })]) {
      const error = await call.catch((reason) => reason);
      expect(`${error.stack} ${error.cause}`).not.toMatch(/secret|xyz/);
    }
    expect([session.data, session.version]).toEqual([{ n: 1 }, 0]);
  });

  test('is refused whatever its form, with a schema that accepts anything', async () => {
    const session = await begin(schemaOf(fits), { n: 1 });
    const bad: unknown[] = [null, 1, 'text', [], [1], new Date(), { f() {} }, { [Symbol('s')]: 1 }, new Map()];
    const own = Object.defineProperty({}, '__proto__', { value: 1, enumerable: true });
    const bomb = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('a secret');
        },
      },
    );
    for (const each of [...bad, own, bomb] as never[]) {
      for (const call of [session.set(each), session.replace(each), session.login('ada', each)]) {
        await expect(call).rejects.toMatchObject({ code: 'ERR_INVALID_DATA', outcome: 'not-applied' });
      }
    }
    expect([session.data, session.version, session.userId]).toEqual([{ n: 1 }, 0, undefined]);
  });

  test('a property that reads otherwise each time is stored as it was checked', async () => {
    const session = await begin(
      schemaOf((data) => (data.role === 'user' ? fits(data) : refuses('role'))),
      {
        role: 'user',
      },
    );
    const shifty = () => {
      let reads = 0;
      return {
        get role() {
          return reads++ === 0 ? 'user' : 'admin';
        },
      };
    };
    await session.set(shifty());
    expect(session.data).toEqual({ role: 'user' });
    await session.replace(shifty());
    expect(session.data).toEqual({ role: 'user' });
  });
});
