/** Perceptually even colour maps: 33 anchors each (matplotlib's, CC0), linear between them. */
import ANCHORS from "./colormaps.json" with { type: "json" };

export type ColormapName = keyof typeof ANCHORS;

export const SEQUENTIAL = [
  ["inferno", "Inferno"],
  ["magma", "Magma"],
  ["viridis", "Viridis"],
  ["cividis", "Cividis (colour-blind safe)"],
  ["gray", "Grey"],
] as const satisfies readonly (readonly [ColormapName, string])[];

export const DIVERGING = [
  ["blue-red", "Blue to red"],
  ["purple-green", "Purple to green"],
] as const satisfies readonly (readonly [ColormapName, string])[];

/** What is painted where a value is NaN or infinite: no colour of any map. */
export const NOT_FINITE = [255, 0, 255] as const;

const tables = new Map<ColormapName, Uint8Array>();

export function isColormap(name: string): name is ColormapName {
  return Object.hasOwn(ANCHORS, name);
}

/** 256 RGB triples, flat. */
export function table(name: ColormapName): Uint8Array {
  const present = tables.get(name);
  if (present) return present;
  const hex = ANCHORS[name];
  const count = hex.length / 6;
  const channel = (anchor: number, c: number) =>
    Number.parseInt(hex.slice(anchor * 6 + c * 2, anchor * 6 + c * 2 + 2), 16);
  const rgb = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i += 1) {
    const at = (i / 255) * (count - 1);
    const low = Math.min(Math.floor(at), count - 2);
    for (let c = 0; c < 3; c += 1) {
      rgb[i * 3 + c] = Math.round(channel(low, c) + (channel(low + 1, c) - channel(low, c)) * (at - low));
    }
  }
  tables.set(name, rgb);
  return rgb;
}

/** A CSS gradient from the lowest to the highest colour. */
export function gradient(name: ColormapName, direction = "to right"): string {
  const colours = table(name);
  const stops: string[] = [];
  for (let i = 0; i <= 16; i += 1) {
    const at = Math.round((i / 16) * 255) * 3;
    stops.push(`rgb(${colours[at]},${colours[at + 1]},${colours[at + 2]})`);
  }
  return `linear-gradient(${direction}, ${stops.join(", ")})`;
}
