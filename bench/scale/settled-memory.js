/** Bytes of this process that are resident once garbage is collected and what that leaves is given back. Asks for `node --expose-gc`. */
export async function settledMemory() {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return process.memoryUsage.rss();
}
