/** What a patch shows, in the colours of the picture. Pure: pixels in, pixels out. */
import type { Photo } from "../_maps/photo";
import type { Patch } from "./state";

export type Colour = readonly [red: number, green: number, blue: number];

const means = new WeakMap<Photo, Colour>();

export function meanColour(photo: Photo): Colour {
  const present = means.get(photo);
  if (present) return present;
  const sums = [0, 0, 0];
  for (let i = 0; i < photo.pixels.length; i += 1) sums[i % 3]! += photo.pixels[i]!;
  const count = photo.pixels.length / 3;
  const mean = sums.map((sum) => Math.round(sum / count)) as unknown as Colour;
  means.set(photo, mean);
  return mean;
}

/** The one colour of a patch, or null where it shows a picture. */
export function plain(photo: Photo, patch: Patch): Colour | null {
  if (patch.fill === "mean") return meanColour(photo);
  if (patch.fill === "black") return [0, 0, 0];
  if (patch.fill === "grey") return [128, 128, 128];
  if (patch.fill !== "color") return null;
  return rgbOf(patch.color ?? "#000000");
}

export function rgbOf(color: string): Colour {
  const channel = (at: number) => Number.parseInt(color.slice(at, at + 2), 16);
  return [channel(1), channel(3), channel(5)];
}

/** RGBA of the whole patch, row by row. */
export function pixelsOf(photo: Photo, patch: Patch): Uint8ClampedArray<ArrayBuffer> {
  const colour = plain(photo, patch);
  const { height, width } = patch;
  if (!colour && patch.fill === "blur") return blurred(photo, patch);
  const out = new Uint8ClampedArray(height * width * 4);
  const [rows, columns] = photo.size;
  // A copied place is moved inside as a whole.
  const top = Math.min(Math.max(patch.source?.[0] ?? 0, 0), Math.max(rows - height, 0));
  const left = Math.min(Math.max(patch.source?.[1] ?? 0, 0), Math.max(columns - width, 0));
  for (let i = 0, at = 0; i < height; i += 1) {
    const row = Math.min(top + i, rows - 1);
    for (let j = 0; j < width; j += 1, at += 4) {
      const from = (row * columns + Math.min(left + j, columns - 1)) * 3;
      for (let c = 0; c < 3; c += 1) out[at + c] = colour ? colour[c]! : photo.pixels[from + c]!;
      out[at + 3] = 255;
    }
  }
  return out;
}

/**
 * The picture under a Gaussian with a sigma of half the patch, its edge pixels repeated outwards; weights of the
 * repeated ones are added up, so that a large sigma costs no more than the picture's side.
 */
function blurred(photo: Photo, { top, left, height, width }: Patch): Uint8ClampedArray<ArrayBuffer> {
  const [rows, columns] = photo.size;
  const sigma = Math.max(height, width) / 2;
  const across = weights(left, width, columns, sigma);
  const down = weights(top, height, rows, sigma);
  const first = Math.min(...down.map(({ from }) => from));
  const last = Math.max(...down.map(({ from, share }) => from + share.length));
  const middle = new Float64Array((last - first) * width * 3);
  for (let row = first; row < last; row += 1) {
    for (let j = 0; j < width; j += 1) {
      const { from, share } = across[j]!;
      const at = ((row - first) * width + j) * 3;
      for (let k = 0; k < share.length; k += 1) {
        const pixel = (row * columns + from + k) * 3;
        const weight = share[k]!;
        middle[at]! += weight * photo.pixels[pixel]!;
        middle[at + 1]! += weight * photo.pixels[pixel + 1]!;
        middle[at + 2]! += weight * photo.pixels[pixel + 2]!;
      }
    }
  }
  const out = new Uint8ClampedArray(height * width * 4).fill(255);
  for (let i = 0; i < height; i += 1) {
    const { from, share } = down[i]!;
    for (let j = 0; j < width; j += 1) {
      for (let c = 0; c < 3; c += 1) {
        let sum = 0;
        for (let k = 0; k < share.length; k += 1) sum += share[k]! * middle[((from + k - first) * width + j) * 3 + c]!;
        out[(i * width + j) * 4 + c] = sum;
      }
    }
  }
  return out;
}

/** For each of `count` pixels from `start` on: the first pixel along the side that counts, and the weights from it on. */
function weights(start: number, count: number, side: number, sigma: number): { from: number; share: Float64Array }[] {
  const radius = Math.ceil(3 * sigma);
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)),
  );
  const total = kernel.reduce((sum, value) => sum + value, 0);
  const inside = (at: number) => Math.min(Math.max(at, 0), side - 1);
  return Array.from({ length: count }, (_, i) => {
    const middle = inside(start + i);
    const from = inside(middle - radius);
    const share = new Float64Array(inside(middle + radius) - from + 1);
    for (let k = -radius; k <= radius; k += 1) share[inside(middle + k) - from]! += kernel[k + radius]! / total;
    return { from, share };
  });
}
