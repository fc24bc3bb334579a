const MAX_LENGTH = 80;

/** A name from outside, fit to be shown: control and direction characters could make a page say something else. */
export function shownName(name: string): string {
  return name.replaceAll(/\p{C}/gu, '').slice(0, MAX_LENGTH);
}
