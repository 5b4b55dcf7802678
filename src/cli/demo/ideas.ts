/** The pages of the demo, as the menu and the front page list them. Used in the main thread and in the pool's. */

export interface Idea {
  readonly path: string;
  readonly name: string;
  readonly text: string;
}

export const ideas: readonly Idea[] = [
  {
    path: '/page/foyer',
    name: 'The house',
    text: 'Rooms that a pool of threads renders. Each thread looks your session up by itself, and says its number.',
  },
  {
    path: '/devices',
    name: 'Your devices',
    text: 'Everywhere you are logged in. End one of them, or all the others.',
  },
  {
    path: '/live',
    name: 'Live',
    text: 'A WebSocket that hangs on your session, and dies with it.',
  },
  {
    path: '/safe',
    name: 'The safe',
    text: 'Opens only to whoever has logged in within the last minute.',
  },
  {
    path: '/note',
    name: 'A note',
    text: 'A message for the next page that you see, and for no other.',
  },
];
