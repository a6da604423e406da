/** The filters of a push: their pictures and numbers, and where a key leads among them. */

import { picturesOf } from "../_maps/mosaic";
import { number } from "../_shared/format";
import type { Data } from "../_shared/view";

export interface Filter {
  channel: number;
  pictures: ImageData[];
  /** NaN: not known. */
  value: number;
  ratio: number;
}

export interface Filters {
  layer: string;
  /** What the pictures of a filter are: "made", "photograph". */
  names: string[];
  unit: string;
  about: string;
  notes: string[];
  filters: Filter[];
}

/** Null: a push without filters. */
export function filtersOf({ arrays, content }: Data): Filters | null {
  const { channels, values, ratios } = arrays;
  if (!channels) return null;
  const names = content["names"] as string[];
  const pictures = picturesOf(arrays);
  const filters = Array.from(channels.data, (channel, at) => ({
    channel,
    pictures: pictures.slice(at * names.length, (at + 1) * names.length),
    value: values?.data[at] ?? Number.NaN,
    ratio: ratios?.data[at] ?? Number.NaN,
  }));
  const text = (name: string) => String(content[name] ?? "");
  const notes = (content["notes"] as string[] | undefined) ?? [];
  return { layer: text("layer"), names, unit: text("unit"), about: text("about"), notes, filters };
}

/** By number, or by value: the largest first, what is not known last. */
export function sorted(filters: readonly Filter[], sort: "index" | "value"): Filter[] {
  const rank = ({ value }: Filter) => (Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value);
  const byNumber = (a: Filter, b: Filter) => a.channel - b.channel;
  return [...filters].sort((a, b) => (sort === "value" && rank(b) - rank(a)) || byNumber(a, b));
}

/** " × 1.8": how many times as much as the largest of any photograph. */
export function times(ratio: number): string {
  return Number.isFinite(ratio) ? `× ${number(ratio)}` : "";
}

export function captionOf({ value, ratio }: Filter): string {
  return [Number.isFinite(value) && number(value), times(ratio)].filter(Boolean).join(" ");
}

export function labelOf(filter: Filter, unit: string): string {
  const { channel, value, ratio } = filter;
  const strength = Number.isFinite(value) ? `, ${unit} ${number(value)}` : "";
  const natural = Number.isFinite(ratio) ? `, ${number(ratio)} times the largest of a photograph` : "";
  return `Filter ${channel}${strength}${natural}`;
}

/** Where a key leads from `at` in a grid; null: the key does not move. */
export function moveIn(key: string, at: number, count: number, columns: number): number | null {
  const steps: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    Home: -at,
    End: count - 1 - at,
  };
  const step = Object.hasOwn(steps, key) ? steps[key] : undefined;
  if (step === undefined || count === 0) return null;
  const to = at + step;
  return to >= 0 && to < count ? to : at;
}
