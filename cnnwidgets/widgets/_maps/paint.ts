/** Maps of levels and maps of numbers, coloured. Pure functions: numbers in, pixels out. */
import { type ColormapName, NOT_FINITE, table } from "./colormaps";
import type { Heat, HeatView } from "./heat";
import { OUTSIDE, resample, type Size } from "./resample";
import type { Sign } from "./scale";

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
  rgb: Uint8Array,
  lo = 0,
  hi = 1,
  bad: readonly [number, number, number, number] = [...NOT_FINITE, 255],
): Uint32Array {
  const colours = new Uint32Array(256);
  const last = rgb.length / 3 - 1;
  for (let level = 0; level <= TOP_LEVEL; level += 1) {
    const share = lo + ((hi - lo) * level) / TOP_LEVEL;
    const at = Math.round(Math.min(1, Math.max(0, share)) * last) * 3;
    colours[level] = pack(rgb[at] ?? 0, rgb[at + 1] ?? 0, rgb[at + 2] ?? 0);
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

export function opaque(rgb: Uint8Array): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray((rgb.length / 3) * 4).fill(255);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    pixels[to] = rgb[from] as number;
    pixels[to + 1] = rgb[from + 1] as number;
    pixels[to + 2] = rgb[from + 2] as number;
  }
  return pixels;
}

const MAGENTA = pack(...NOT_FINITE);
const VEIL = pack(255, 255, 255, 60);
const STRIPE = pack(255, 255, 255, 190);

export interface Colouring {
  /** Gets the last colour; 0: nothing is painted. */
  limit: number;
  sign: Sign;
  name: ColormapName;
  /** NaN is only not known yet. */
  partial: boolean;
  /** Small values let what lies under the map through: a photograph is not tinted where the map says nothing. */
  fades?: boolean;
}

/** The share of the scale below which a map over a photograph is transparent, the more the nearer to 0. */
const FADE = 0.3;

/**
 * Colours `part` (as from partOf, resampled) into `pixels`, RGBA, rows of `width`. Where the map has no cell nothing is
 * painted. NaN is no colour of the map: stripes, white where the value is only not known yet.
 */
export function colourise(
  part: Float32Array,
  width: number,
  { limit, sign, name, partial, fades }: Colouring,
  pixels: Uint32Array,
): void {
  const rgb = table(name);
  const alpha = (i: number) => {
    const share = sign === "signed" ? Math.abs(i - 128) / 127 : i / 255;
    return fades ? Math.round(255 * Math.min(1, share / FADE)) : 255;
  };
  const colours = Uint32Array.from({ length: 256 }, (_, i) =>
    pack(rgb[i * 3]!, rgb[i * 3 + 1]!, rgb[i * 3 + 2]!, alpha(i)),
  );
  const factor = (sign === "signed" ? 127.5 : 255) / limit;
  const offset = sign === "signed" ? 128 : 0.5;
  const height = part.length / width;
  const period = Math.max(4, Math.round(Math.max(width, height) / 32));
  const thickness = Math.max(1, Math.round(period * (partial ? 0.2 : 0.5)));
  const [stripe, between] = partial ? [STRIPE, VEIL] : [MAGENTA, 0];
  for (let row = 0, at = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1, at += 1) {
      const value = part[at]!;
      if (Number.isNaN(value)) pixels[at] = (row + column) % period < thickness ? stripe : between;
      else if (value === OUTSIDE || limit === 0) pixels[at] = 0;
      else {
        const index = (value * factor + offset) | 0;
        pixels[at] = colours[index < 0 ? 0 : Math.min(index, 255)]!;
      }
    }
  }
}

/** A view of `heat`, stretched over a picture of height × width pixels, as an image. */
export function heatImage(heat: Heat, view: HeatView, target: Size, smooth: boolean, colouring: Colouring): ImageData {
  return colouredImage(resample(view.part, heat.size, target, smooth, heat.extent), target, colouring);
}

/** `part`, resampled to height × width, as an image. */
export function colouredImage(part: Float32Array, [height, width]: Size, colouring: Colouring): ImageData {
  const image = new ImageData(width, height);
  colourise(part, width, colouring, new Uint32Array(image.data.buffer));
  return image;
}
