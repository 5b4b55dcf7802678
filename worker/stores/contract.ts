/**
 * What a store is to the manager: the place where sessions outlive the process. Manager's thread. One contract for all of them.
 *
 * The manager prepares a change, has the store commit it, and only then publishes it in the table and answers the call. Endings alone are
 * published first: nobody may be let in while a store is slow to forget. While a commit is awaited no other call begins, so what was checked when the
 * change was prepared still holds when it is published.
 */

/** A session as it will be after a change, or its ending. `record` is a view, to be copied before `commit` returns. */
export type StoreChange =
  | { readonly kind: 'put'; readonly id: Int32Array; readonly record: () => Uint8Array }
  | { readonly kind: 'end'; readonly id: Int32Array };

export interface SessionStore {
  readonly type: 'memory' | 'lmdb' | 'redis';
  /** Every session that was kept, once; asked before the first call is served. */
  load(): AsyncIterable<Uint8Array>;
  /** Keeps a change. `undefined`: it is kept as well as this store ever keeps it; a promise: it will be, or not if it rejects. */
  commit(change: StoreChange): Promise<void> | undefined;
  /** After the last commit, before the manager's thread ends. */
  close(): Promise<void>;
}
