/**
 * Formats the path to a value in session data for an error: names and indexes, never content. Runs in the thread that
 * writes the data.
 */

const LONGEST_NAME = 40;

/** `data.cart[2].when`; a step is a property's name, an element's index, or −1 − n for entry n of a Map or Set. */
export function pathOf(steps: readonly (string | number)[]): string {
  return `data${steps.map(stepOf).join('')}`;
}

function stepOf(step: string | number): string {
  if (typeof step === 'number') return step < 0 ? `<entry ${-1 - step}>` : `[${step}]`;
  if (step.length > LONGEST_NAME) return `[${JSON.stringify(`${step.slice(0, LONGEST_NAME)}…`)}]`;
  return /^[A-Za-z_$][\w$]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
}
