/**
 * JWTs made and read by hand, with nothing but node:crypto: what others would make of ours, and what a forger would
 * send us.
 */

import {
  constants,
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';

export type Algorithm = 'EdDSA' | 'RS256' | 'ES256' | 'HS256';
export const algorithms: readonly Algorithm[] = ['EdDSA', 'RS256', 'ES256', 'HS256'];

/** As it is given to the option `keys`, and as others verify with. */
export interface Pair {
  readonly signs: string;
  readonly verifies: string | KeyObject;
}

const pem = (key: KeyObject): string => String(key.export({ type: 'pkcs8', format: 'pem' }));

export function pairFor(algorithm: Algorithm, letter = 'a'): Pair {
  switch (algorithm) {
    case 'HS256':
      return { signs: letter.repeat(32), verifies: letter.repeat(32) };
    case 'EdDSA': {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519');
      return { signs: pem(privateKey), verifies: publicKey };
    }
    case 'ES256': {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      return { signs: pem(privateKey), verifies: publicKey };
    }
    case 'RS256': {
      const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      return { signs: pem(privateKey), verifies: publicKey };
    }
  }
}

export const coded = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** The signature, as base64url, of the two coded parts. */
export function signatureOf(algorithm: Algorithm, key: string, input: string): string {
  if (algorithm === 'HS256') return createHmac('sha256', key).update(input).digest('base64url');
  const privateKey = createPrivateKey(key);
  const bytes = Buffer.from(input);
  if (algorithm === 'EdDSA') return signBytes(undefined, bytes, privateKey).toString('base64url');
  if (algorithm === 'ES256') return signLow(bytes, privateKey).toString('base64url');
  return signBytes('sha256', bytes, { key: privateKey, padding: constants.RSA_PKCS1_PADDING }).toString('base64url');
}

/** Of the two ECDSA signatures that are as valid as each other, the one with the lesser s. */
function signLow(bytes: Buffer, key: KeyObject): Buffer {
  for (;;) {
    const signature = signBytes('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' });
    if ((signature[32] as number) < 0x7f) return signature;
  }
}

/** A JWT with any header and claims, as objects or as the texts that they shall be. */
export function forge(algorithm: Algorithm, key: string, header: unknown, claims: unknown): string {
  const input = `${coded(header)}.${coded(claims)}`;
  return `${input}.${signatureOf(algorithm, key, input)}`;
}

/** The claims, if the signature is good: as RFC 7515 has it, and as a gateway would check it. */
export function verifiedBy(algorithm: Algorithm, key: string | KeyObject, jwt: string): Record<string, unknown> {
  const [header = '', claims = '', signature = ''] = jwt.split('.');
  const input = Buffer.from(`${header}.${claims}`);
  const came = Buffer.from(signature, 'base64url');
  const named = JSON.parse(Buffer.from(header, 'base64url').toString()).alg;
  const good =
    algorithm === 'HS256'
      ? createHmac('sha256', key).update(input).digest('base64url') === signature
      : verifyBytes(
          algorithm === 'EdDSA' ? undefined : 'sha256',
          input,
          algorithm === 'ES256' ? { key: key as KeyObject, dsaEncoding: 'ieee-p1363' } : (key as KeyObject),
          came,
        );
  if (named !== algorithm || !good) throw new Error('the signature is not good');
  return JSON.parse(Buffer.from(claims, 'base64url').toString());
}
