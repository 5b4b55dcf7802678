/** A sliding window: so many operations under way, and each that is finished starts the next. */

/** `start(i, done)` begins operation `i` and calls `done` when it is over. */
export function windowed(count, width, start) {
  return new Promise((resolve) => {
    let next = 0;
    let finished = 0;
    const done = () => {
      finished++;
      if (next < count) start(next++, done);
      else if (finished === count) resolve();
    };
    while (next < Math.min(width, count)) start(next++, done);
  });
}
