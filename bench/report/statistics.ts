/** Figures of several rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const [low, high] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (low === undefined || high === undefined || min === undefined || max === undefined)
    throw new Error('There are no figures.');
  return { median: (low + high) / 2, min, max };
}

/** A whole number with separators: `12,345`. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** A number with three significant digits, for small ones. */
export function short(value: number): string {
  return value >= 100 ? whole(value) : `${Number(value.toPrecision(value >= 1 ? 3 : 2))}`;
}

/** `median (min–max)` */
export function withRange({ median, min, max }: Spread, show: (value: number) => string): string {
  return `${show(median)} (${show(min)}–${show(max)})`;
}
