/** What the demo keeps in a session, and the rooms it counts visits to. Used in the main thread and in the pool's. */

export interface Visits {
  visits: number;
  /** The last visits, the newest first. */
  trail: Visit[];
  /** A message for the next page, which takes it. */
  flash?: string;
}

export interface Visit {
  room: string;
  /** The pool thread that rendered it. */
  thread: number;
  at: Date;
}

export interface Room {
  readonly name: string;
  readonly title: string;
  readonly text: string;
}

/** A longer trail would only make the page longer. */
const TRAIL = 8;

/** The cookie of the demo; cookies know no ports, so it has a name that other sites on this machine hardly have. */
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
