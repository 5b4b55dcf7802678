/** What the package adds to the public face as it was promised: members, by the interface that they are in. Nothing else may differ. */

export const additions: Readonly<Record<string, string>> = {
  ManagerOptions: "whenReused?: 'report' | 'end-session';",
  SessionManager: `
  putSession(key: string, init: Omit<NewSession<D>, 'linked'> & { data: D }): Promise<Session<D>>;
  getSessionByKey(key: string, options?: { touch?: boolean }): Session<D> | undefined;
  closeSessionByKey(key: string, note?: string): Promise<void>;`,
  Session: 'readonly idleTimeout: number | false;',
};

/** The promise with the additions in it. */
export function withAdditions(api: string): string {
  return Object.entries(additions).reduce((text, [name, members]) => {
    const head = new RegExp(`^export interface ${name}\\b[^\\n]*\\{$`, 'm');
    if (!head.test(text)) throw new Error(`the promise declares no ${name} as expected`);
    return text.replace(head, (found) => `${found}\n  ${members}`);
  }, api);
}
