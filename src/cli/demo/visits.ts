/**
 * The data of the demo's sessions, and the rooms whose visits are counted. Used in the main thread and in the pool's.
 */

export interface Visits {
  visits: number;
  /** The last visits, newest first. */
  trail: Visit[];
  /** A message that the next page shows and removes. */
  flash?: string;
}

export interface Visit {
  room: string;
  /** The pool thread that rendered the page. */
  thread: number;
  at: Date;
}

export interface Room {
  readonly name: string;
  readonly title: string;
  readonly text: string;
}

/** Enough for the page. */
const TRAIL = 8;

/**
 * The name of the demo's cookie. Cookies are shared by all ports of this machine, so it has to differ from other sites'
 * names.
 */
export const COOKIE = 'coatcheck-demo';

export const rooms: readonly Room[] = [
  { name: 'foyer', title: 'The Foyer', text: 'Marble, mirrors, and everybody looking for somebody.' },
  { name: 'stalls', title: 'The Stalls', text: 'Row seven, a little left of the middle. A good seat.' },
  { name: 'balcony', title: 'The Balcony', text: 'From up here the orchestra looks like a pocket watch.' },
  { name: 'bar', title: 'The Bar', text: 'The interval is twenty minutes. The queue is thirty.' },
];

export function newVisits(): Visits {
  return { visits: 0, trail: [] };
}

export function withVisit(data: Readonly<Visits>, visit: Visit): Visits {
  return { ...data, visits: data.visits + 1, trail: [visit, ...data.trail].slice(0, TRAIL) };
}
