/** From the numbers of a map to pixels. */
import { type ColormapName, NOT_FINITE, table } from "./colormaps";
import type { Heat, HeatView } from "./heat";
import { laid, OUTSIDE } from "./laid";
import { pack } from "./paint";
import type { Size } from "./resample";
import type { Sign } from "./state";

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
  return colouredImage(laid(view.part, heat.size, target, smooth, heat.extent), target, colouring);
}

/** `part`, resampled to height × width, as an image. */
export function colouredImage(part: Float32Array, [height, width]: Size, colouring: Colouring): ImageData {
  const image = new ImageData(width, height);
  colourise(part, width, colouring, new Uint32Array(image.data.buffer));
  return image;
}
