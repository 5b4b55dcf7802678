/** What the sessions of the benches hold. */

/** One small key. */
export const smallData = { name: 'Ada Lovelace' };

/** What a small shop keeps: 200 bytes as JSON. */
export const shopData = {
  name: 'Ada Lovelace',
  roles: ['customer', 'editor'],
  cart: [
    { sku: 'A-1041', count: 2 },
    { sku: 'B-2230', count: 1 },
  ],
  theme: 'dark',
  visits: 17,
  csrf: 'p5Zc0Yt3kqLw8uVbN1sRfA',
  returnTo: '/orders/2024?page=2',
};
