/** Maps of levels, coloured. Pure functions: pixels in, pixels out. */
import { NOT_FINITE } from "./colormaps";

/** The highest level that stands for a number; 255 stands for NaN or infinity. */
export const TOP_LEVEL = 254;

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

export function pack(red: number, green: number, blue: number, alpha = 255): number {
  return LITTLE_ENDIAN
    ? ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0
    : ((red << 24) | (green << 16) | (blue << 8) | alpha) >>> 0;
}

/**
 * The packed colour of each level. Level 0 lies at `lo` and level 254 at `hi` of the colour map, which runs from 0
 * to 1; what lies outside gets the colour of the nearest end. Level 255 gets `bad`.
 */
export function palette(
  table: Uint8Array,
  lo = 0,
  hi = 1,
  bad: readonly [number, number, number, number] = [...NOT_FINITE, 255],
): Uint32Array {
  const colours = new Uint32Array(256);
  const last = table.length / 3 - 1;
  for (let level = 0; level <= TOP_LEVEL; level += 1) {
    const share = lo + ((hi - lo) * level) / TOP_LEVEL;
    const at = Math.round(Math.min(1, Math.max(0, share)) * last) * 3;
    colours[level] = pack(table[at] ?? 0, table[at + 1] ?? 0, table[at + 2] ?? 0);
  }
  colours[255] = pack(...bad);
  return colours;
}

/** RGBA pixels of `values`, written into `into` if given. */
export function colourLevels(
  values: Uint8Array,
  colours: Uint32Array,
  into: Uint8ClampedArray<ArrayBuffer> = new Uint8ClampedArray(values.length * 4),
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint32Array(into.buffer, into.byteOffset, values.length);
  for (let i = 0; i < values.length; i += 1) pixels[i] = colours[values[i] as number] as number;
  return into;
}

/** Darkens every second diagonal of the values that are not finite, so that they read as hatched, not as a colour. */
export function hatch(values: Uint8Array, width: number, pixels: Uint8ClampedArray<ArrayBuffer>): void {
  const packed = new Uint32Array(pixels.buffer, pixels.byteOffset, values.length);
  const dark = pack(NOT_FINITE[0] >> 2, NOT_FINITE[1] >> 2, NOT_FINITE[2] >> 2);
  for (let i = values.indexOf(255); i >= 0; i = values.indexOf(255, i + 1)) {
    if ((((i % width) + Math.floor(i / width)) & 3) < 2) packed[i] = dark;
  }
}

/** RGBA pixels of RGB ones. */
export function opaque(rgb: Uint8Array): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray((rgb.length / 3) * 4).fill(255);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    pixels[to] = rgb[from] as number;
    pixels[to + 1] = rgb[from + 1] as number;
    pixels[to + 2] = rgb[from + 2] as number;
  }
  return pixels;
}
