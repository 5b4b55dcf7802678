/** HTML templates that escape whatever is inserted. Used in the main thread and in the pool's. */

const source = Symbol('source');

/** Markup made by `html`: the only thing that `html` does not escape. */
export interface Html {
  readonly [source]: string;
}

type Part = Html | string | number | undefined | readonly Html[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * The template's own text is markup. Inserted values are escaped for text and for quoted attributes; undefined inserts
 * nothing.
 */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { [source]: texts.reduce((all, text, i) => all + render(parts[i - 1]) + text) };
}

/** Markup that is a constant of this program, inserted without escaping. */
export function constant(markup: string): Html {
  return { [source]: markup };
}

/** The markup as text. */
export function markupOf(value: Html): string {
  return value[source];
}

function render(part: Part): string {
  if (part === undefined) return '';
  if (typeof part === 'object') return source in part ? part[source] : part.map(markupOf).join('');
  return String(part).replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
