/** The three channels of an input gradient as red, green and blue. */
import { NOT_FINITE } from "../_maps/colormaps";
import { cellIn, resample, type Size } from "../_maps/resample";
import { farthest } from "../_maps/scale";
import { number } from "../_shared/format";
import type { Data } from "../_shared/view";

export interface Colours {
  size: Size;
  /** All channels, one after another: red, green, blue. */
  part: Float32Array;
  limit: number;
}

/** What a "colours" push holds, if it belongs to the map with the id `map`. */
export function coloursOf(data: Data | null, map: number): Colours | null {
  const channels = data?.arrays["colours"];
  if (!channels || data.content["map"] !== map) return null;
  const [, h = 0, w = 0] = channels.shape;
  const part = channels.data as Float32Array;
  return { size: [h, w], part, limit: farthest(part) };
}

/** The channels at `target`, NaN in all three where one of them is not finite. */
export function planes({ part, size }: Colours, target: Size, smooth: boolean): Float32Array[] {
  const length = size[0] * size[1];
  const channel = (c: number) => resample(part.subarray(c * length, (c + 1) * length), size, target, smooth).slice();
  const [red, green, blue] = [channel(0), channel(1), channel(2)];
  for (let i = 0; i < red.length; i += 1) {
    if (Number.isNaN(red[i]! + green[i]! + blue[i]!)) red[i] = green[i] = blue[i] = Number.NaN;
  }
  return [red, green, blue];
}

/** RGBA bytes: −limit is 0, 0 is mid grey, +limit is 255 in each channel; NaN becomes `hole`. */
export function mix(
  channels: readonly Float32Array[],
  limit: number,
  hole: readonly number[],
  bytes: Uint8ClampedArray,
): void {
  const count = channels[0]!.length;
  const factor = limit > 0 ? 127.5 / limit : 0;
  for (let i = 0; i < count; i += 1) {
    const broken = Number.isNaN(channels[0]![i]!);
    for (let c = 0; c < 3; c += 1) bytes[i * 4 + c] = broken ? hole[c]! : 127.5 + channels[c]![i]! * factor;
    bytes[i * 4 + 3] = 255;
  }
}

/** `channels`, resampled to height × width, as an image. */
export function mixedImage(channels: readonly Float32Array[], [height, width]: Size, limit: number): ImageData {
  const image = new ImageData(width, height);
  mix(channels, limit, NOT_FINITE, image.data);
  return image;
}

/** The lines of the tooltip at pixel (row, column) of the picture. */
export function channelsAt({ part, size: [h, w] }: Colours, picture: Size, row: number, column: number): string[] {
  const at = cellIn(row, h, picture[0]) * w + cellIn(column, w, picture[1]);
  const values = ["red", "green", "blue"].map((name, c) => `${name} ${number(part[c * h * w + at]!)}`);
  return [...values, `row ${row}, column ${column}`];
}
