/** V8 gives back the space for young objects once few were made for five seconds. */
const SECONDS = 8;

/**
 * Bytes of this process that are resident once garbage is collected and what that leaves is given back. Asks for `node
 * --expose-gc`.
 */
export async function settledMemory() {
  for (let i = 0; i < SECONDS; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  return process.memoryUsage.rss();
}
