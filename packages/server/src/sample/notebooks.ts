/** One note, as the API answers it. */
interface Note {
  readonly id: number;
  readonly text: string;
  /** ISO 8601, in UTC. */
  readonly createdAt: string;
}

/** The notes of every user, each apart, in memory. */
export interface Notebooks {
  /** Oldest first; empty for somebody who never wrote one. */
  list(subject: string): readonly Note[];
  /** Adds a note, or answers `undefined` when that user's notebook is full. */
  add(subject: string, text: string): Note | undefined;
}

/** Keeps the notes of each user in memory, up to a maximum number for each user. */
export function createNotebooks(maxNotes: number): Notebooks {
  const notebooks = new Map<string, Note[]>();
  return {
    list: (subject) => notebooks.get(subject) ?? [],
    add: (subject, text) => {
      const notes = notebooks.get(subject) ?? [];
      if (notes.length >= maxNotes) return undefined;
      const note = { id: notes.length + 1, text, createdAt: new Date().toISOString() };
      notebooks.set(subject, [...notes, note]);
      return note;
    },
  };
}
