/** From numbers to pixels. */
import { type ColormapName, NOT_FINITE, table } from "../_shared/colormaps";
import { OUTSIDE } from "./laid";
import type { Sign } from "./state";

/** One pixel as a little-endian 32-bit word over ImageData's bytes. */
function word(r: number, g: number, b: number, alpha = 255): number {
  return ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

const MAGENTA = word(...NOT_FINITE);
const VEIL = word(255, 255, 255, 60);
const STRIPE = word(255, 255, 255, 190);

function words(name: ColormapName): Uint32Array {
  const colours = table(name);
  return Uint32Array.from({ length: 256 }, (_, i) => word(colours[i * 3]!, colours[i * 3 + 1]!, colours[i * 3 + 2]!));
}

/**
 * Colours `part` (as from partOf, resampled) into `pixels`, RGBA, rows of `width`. `limit` gets the last colour; with
 * a limit of 0 nothing is painted, nor where the map has no cell. NaN is no colour of the map: stripes, white where the value is only not known yet.
 */
export function colourise(
  part: Float32Array,
  width: number,
  { limit, sign, name, partial }: { limit: number; sign: Sign; name: ColormapName; partial: boolean },
  pixels: Uint32Array,
): void {
  const colours = words(name);
  const factor = (sign === "signed" ? 127.5 : 255) / limit;
  const offset = sign === "signed" ? 128 : 0.5;
  const height = part.length / width;
  const period = Math.max(4, Math.round(Math.max(width, height) / 32));
  const thickness = Math.max(1, Math.round(period * (partial ? 0.2 : 0.5)));
  const [stripe, between] = partial ? [STRIPE, VEIL] : [MAGENTA, 0];
  for (let row = 0, at = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1, at += 1) {
      const value = part[at]!;
      if (value === OUTSIDE) pixels[at] = 0;
      else if (value !== value) pixels[at] = (row + column) % period < thickness ? stripe : between;
      else if (limit === 0) pixels[at] = 0;
      else {
        const index = (value * factor + offset) | 0;
        pixels[at] = colours[index < 0 ? 0 : index > 255 ? 255 : index]!;
      }
    }
  }
}
