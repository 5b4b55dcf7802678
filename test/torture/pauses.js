/**
 * Where the threads of the campaign of the largest sizes note what they see, in milliseconds: places among shared
 * numbers of eight bytes. Zeroed before each operation.
 */
export const PAUSES = {
  /** The longest that the heartbeat stood still, and the longest time between two looks at it. */
  gap: 0,
  looks: 1,
  /** The longest pause of the garbage collector in the manager's thread. */
  collected: 2,
  /** Calls that were answered to the threads that go on. */
  calls: 3,
  /** Of each of these: the longest wait of a call, the longest that its event loop was late. */
  waits: 8,
  late: 16,
  words: 24,
};
