/** What this process prints; the output of its threads comes by here too. */

const streams = { stdout: process.stdout, stderr: process.stderr };

/** Tells `listener` of all that is printed from now on, before it is. Returns how to stop. */
export function hearPrinted(listener: (stream: keyof typeof streams, text: string) => void): () => void {
  const undo = Object.entries(streams).map(([name, stream]) => {
    const { write } = stream;
    stream.write = function (this: unknown, ...args: unknown[]) {
      listener(name as keyof typeof streams, String(args[0]));
      return Reflect.apply(write, this, args);
    } as typeof write;
    return () => {
      stream.write = write;
    };
  });
  return () => {
    for (const each of undo) each();
  };
}
