/** How a map's values are spread, from its levels: 51 bins of 5 levels each. */
export const BINS = 51;
const PER_BIN = 5;

export function histogram(levels: Uint8Array): number[] {
  const bins = new Array<number>(BINS).fill(0);
  for (const level of levels) {
    if (level < 255) bins[Math.floor(level / PER_BIN)]! += 1;
  }
  return bins;
}

/**
 * The count that gets the full height. One bin that towers over the others (the zeros after a ReLU) would flatten
 * them to nothing, so it is cut at twice the second highest; the chart says so.
 */
export function fullHeight(bins: readonly number[]): number {
  const [first = 0, second = 0] = [...bins].sort((a, b) => b - a);
  return second > 0 && first > 4 * second ? 2 * second : first;
}

/** Lowest and highest value that falls into a bin, for a map between `low` and `high`. */
export function binEdges(bin: number, low: number, high: number): [number, number] {
  const at = (level: number) => low + (Math.min(254, Math.max(0, level)) / 254) * (high - low);
  return [at(bin * PER_BIN - 0.5), at(bin * PER_BIN + PER_BIN - 0.5)];
}
