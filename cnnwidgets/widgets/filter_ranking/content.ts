/** What is sent of the filters that matter, read: pure functions. */
import { picturesOf } from "../_maps/mosaic";
import { type Extent, extentOf, OUTSIDE, resample, type Size } from "../_maps/resample";
import { number } from "../_shared/format";
import type { ProgressState } from "../_shared/progress";
import type { Data, Numbers } from "../_shared/view";

export interface FilterRankingState extends ProgressState {
  layer: string;
  channel: number | null;
  target_name: string;
  hint: string;
  off: number[];
  hidden: number[];
  groups: number;
  groupable: boolean;
  switchable: boolean;
  hideable: boolean;
  effect: string;
  job: "" | "ranking" | "groups";
}

export interface Ranking {
  drops: Numbers;
  /** Channels, from the one without which the score falls most; those not known yet are left out. */
  order: number[];
  /** The largest magnitude of a drop. */
  longest: number;
  score: number | null;
  unit: string;
  notes: string[];
  partial: boolean;
}

/** Null: a push without a ranking. */
export function rankingOf({ arrays: { drops }, content }: Data): Ranking | null {
  if (!drops) return null;
  const values = drops.data;
  const order = Array.from(values.keys()).filter((channel) => Number.isFinite(values[channel]));
  order.sort((a, b) => values[b]! - values[a]! || a - b);
  const longest = order.reduce((most, channel) => Math.max(most, Math.abs(values[channel]!)), 0);
  return { ...(content as Pick<Ranking, "score" | "unit" | "notes" | "partial">), drops: values, order, longest };
}

export interface Groups {
  size: Size;
  maps: Float32Array[];
  /** The strongest channels of each group, and their parts in it. */
  channels: number[][];
  parts: number[][];
  /** What each gives to the score; null: not known. */
  weights: Numbers | null;
  explained: number;
  signed: boolean;
  notes: string[];
  extent: Extent;
}

export interface GroupPlace {
  picture: ImageData;
  label: string;
}

/** The patches of photographs that excite each group most; none: a push without them. */
export function groupPlacesOf({ arrays, content }: Data): GroupPlace[][] {
  const { counts, values } = arrays;
  if (!counts || !values) return [];
  const names = content["names"] as string[];
  const all = picturesOf(arrays).map((picture, at) => ({
    picture,
    label: `${names[at]}: ${number(values.data[at]!)}`,
  }));
  let first = 0;
  return Array.from(counts.data, (count) => {
    first += count;
    return all.slice(first - count, first);
  });
}

/** Null: a push without groups. */
export function groupsOf({ arrays, content }: Data): Groups | null {
  const { maps, channels, parts, weights } = arrays;
  if (!maps || !channels || !parts) return null;
  const [count = 0, height = 0, width = 0] = maps.shape;
  const strongest = channels.shape[1] ?? 0;
  const rows = (values: Numbers, length: number) =>
    Array.from({ length: count }, (_, at) => values.subarray(at * length, (at + 1) * length));
  return {
    ...(content as Pick<Groups, "explained" | "signed" | "notes">),
    size: [height, width],
    maps: rows(maps.data, height * width) as Float32Array[],
    channels: rows(channels.data, strongest).map((row) => [...row]),
    parts: rows(parts.data, strongest).map((row) => [...row]),
    weights: weights?.data ?? null,
    extent: extentOf(content),
  };
}

/** Told apart also by who does not see red and green (Okabe and Ito 2008, and four more). */
export const GROUP_COLOURS: readonly (readonly [number, number, number])[] = [
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [240, 228, 66],
  [213, 94, 0],
  [204, 121, 167],
  [0, 114, 178],
  [160, 160, 160],
  [120, 60, 20],
  [140, 220, 60],
];

const MOST_ALPHA = 200;

/** RGBA pixels: at each place the colour of the group that is strongest there, the more the stronger it is. */
export function groupPixels(groups: Groups, hidden: ReadonlySet<number>, target: Size): Uint8ClampedArray<ArrayBuffer> {
  const [height, width] = target;
  const pixels = new Uint8ClampedArray(height * width * 4);
  const best = new Float32Array(height * width);
  for (const [group, map] of groups.maps.entries()) {
    if (hidden.has(group)) continue;
    const most = map.reduce((a, b) => Math.max(a, b), 0);
    if (!(most > 0)) continue;
    const values = resample(map, groups.size, target, true, groups.extent);
    for (let at = 0; at < values.length; at += 1) {
      const share = values[at]! === OUTSIDE ? 0 : values[at]! / most;
      if (!(share > best[at]!)) continue;
      best[at] = share;
      pixels.set(
        [...GROUP_COLOURS[group % GROUP_COLOURS.length]!, Math.round(MOST_ALPHA * Math.min(1, share))],
        4 * at,
      );
    }
  }
  return pixels;
}
