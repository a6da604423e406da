/** The three channels of an input gradient as red, green and blue. */
import type { Data } from "../_shared/channel";
import { number } from "../_shared/format";
import { cell, resample, type Size } from "./resample";
import { limitOf, statsOf } from "./scale";

export interface Colours {
  size: Size;
  /** All channels, one after another: red, green, blue. */
  part: Float32Array;
  limit: number;
}

/** What a "colours" push holds, if it belongs to the map with the id `map`. */
export function coloursOf(data: Data | null, map: number): Colours | null {
  const given = data?.arrays["colours"];
  if (!data || !given || data.content["map"] !== map) return null;
  const [, h = 0, w = 0] = given.shape;
  const part = given.data as Float32Array;
  return { size: [h, w], part, limit: limitOf(statsOf(part), "signed") };
}

/** The channels at `target`, NaN in all three where one of them is not finite. */
export function planes({ part, size }: Colours, target: Size, smooth: boolean): Float32Array[] {
  const length = size[0] * size[1];
  const three = [0, 1, 2].map((c) =>
    resample(part.subarray(c * length, (c + 1) * length), size, target, smooth).slice(),
  );
  const [red, green, blue] = three as [Float32Array, Float32Array, Float32Array];
  for (let i = 0; i < red.length; i += 1) {
    const sum = red[i]! + green[i]! + blue[i]!;
    if (sum !== sum) red[i] = green[i] = blue[i] = NaN;
  }
  return three;
}

/** RGBA bytes: −limit is 0, 0 is mid grey, +limit is 255 in each channel; NaN becomes `hole`. */
export function mix(
  three: readonly Float32Array[],
  limit: number,
  hole: readonly number[],
  bytes: Uint8ClampedArray,
): void {
  const count = three[0]!.length;
  const factor = limit > 0 ? 127.5 / limit : 0;
  for (let i = 0; i < count; i += 1) {
    const broken = three[0]![i]! !== three[0]![i]!;
    for (let c = 0; c < 3; c += 1) bytes[i * 4 + c] = broken ? hole[c]! : 127.5 + three[c]![i]! * factor;
    bytes[i * 4 + 3] = 255;
  }
}

/** The lines of the tooltip at pixel (row, column) of the picture. */
export function channelsAt(
  { part, size: [h, w] }: Colours,
  [height, width]: Size,
  row: number,
  column: number,
): string[] {
  const at = cell(row, h, height) * w + cell(column, w, width);
  const values = ["red", "green", "blue"].map((name, c) => `${name} ${number(part[c * h * w + at]!)}`);
  return [...values, `row ${row}, column ${column}`];
}
