/** What the package has beyond its promise in fixtures/api.d.ts: options added to interfaces that stand there. */

/** For each, where it stands and its declaration. */
const additions: readonly [after: RegExp, declaration: string][] = [
  [
    /^export interface ManagerOptions<.*\{$/m,
    "  policy?: 'asvs-l1' | 'asvs-l2' | 'nist-aal1' | 'nist-aal2' | 'nist-aal3';",
  ],
  [/^export interface ManagerOptions<.*\{$/m, "  whenReused?: 'report' | 'end-session';"],
  [
    /^export interface SessionManager<.*\{$/m,
    `  putSession(key: string, init: Omit<NewSession<D>, 'linked'> & { data: D }): Promise<Session<D>>;
  getSessionByKey(key: string, options?: { touch?: boolean }): Session<D> | undefined;
  closeSessionByKey(key: string, note?: string): Promise<void>;
  getClaim(cookie: string | undefined, options?: { touch?: boolean }): import('coatcheck').Claim<D> | undefined;
  getClaimOf(session: Session<D>): import('coatcheck').Claim<D>;`,
  ],
  [/^export interface Session<.*\{$/m, '  readonly idleTimeout: number | false;'],
];

/** The promise and what was added to it. */
export function withAdditions(promised: string): string {
  return additions.reduce((api, [after, declaration]) => {
    if (!after.test(api)) throw new Error(`the promise has no place for ${declaration}`);
    return api.replace(after, `$&\n${declaration}`);
  }, promised);
}
