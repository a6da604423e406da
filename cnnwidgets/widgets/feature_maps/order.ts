/** In which order the maps stand, and how long the bar under each is. */
import type { Contribution, Maps } from "./maps";

export const SORTS = [
  ["index", "sorted by index"],
  ["maximum", "sorted by maximum"],
  ["mean", "sorted by mean"],
  ["zeros", "sorted by share of zeros"],
  ["contribution", "sorted by contribution"],
] as const;

export type Sort = (typeof SORTS)[number][0];

/** What a map is sorted by; its maximum when they stand by index. Null: the contribution is not known. */
export function quantity(maps: Maps, contribution: Contribution | null, sort: Sort): ArrayLike<number> | null {
  if (sort === "contribution") return contribution?.values ?? null;
  return maps[sort === "index" ? "maximum" : sort];
}

/** Channels from first to last: largest quantity first, equals by index, NaN at the end; null: by index. */
export function order(count: number, by: ArrayLike<number> | null): number[] {
  const channels = Array.from({ length: count }, (_, channel) => channel);
  if (!by) return channels;
  const rank = (channel: number) => {
    const value = by[channel] ?? Number.NaN;
    return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
  };
  return channels.sort((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    return left === right ? a - b : right > left ? 1 : -1;
  });
}

/** The largest absolute finite value; 0 when there is none. */
export function farthest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i += 1) {
    const size = Math.abs(values[i] as number);
    if (size > most && Number.isFinite(size)) most = size;
  }
  return most;
}

/** A signed share of the longest bar, between -1 and 1. */
export function share(value: number, longest: number): number {
  return longest > 0 && Number.isFinite(value) ? value / longest : 0;
}
