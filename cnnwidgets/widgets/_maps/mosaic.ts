/** Pictures of several sizes that came in one push, and the activations drawn over them. */
import { contextOf, h, putImage } from "../_shared/dom";
import type { ArrayData, Numbers } from "../_shared/view";
import { colouredImage, opaque } from "./paint";
import { type Extent, resample, type Size, WHOLE } from "./resample";
import { limitOf, statsOf } from "./scale";

/** What lies one after another in `values`: as many pieces as there are heights and widths in `sizes`. */
export function piecesOf<T extends Numbers>(values: T, sizes: Numbers, channels = 1): { size: Size; values: T }[] {
  let end = 0;
  return Array.from({ length: sizes.length / 2 }, (_, i) => {
    const [height, width] = [sizes[2 * i]!, sizes[2 * i + 1]!];
    const start = end;
    end += height * width * channels;
    return { size: [height, width], values: values.subarray(start, end) as T };
  });
}

/** The pictures of a push, in order. */
export function picturesOf({ pixels, sizes }: Record<string, ArrayData | undefined>): ImageData[] {
  if (!pixels || !sizes) return [];
  const pieces = piecesOf(pixels.data as Uint8Array, sizes.data, 3);
  return pieces.map(({ size: [height, width], values }) => new ImageData(opaque(values), width, height));
}

export interface CellMap {
  size: Size;
  values: Float32Array;
}

/** The activations of a push, in order. */
export function cellsOf({ activations, cells }: Record<string, ArrayData | undefined>): CellMap[] {
  return activations && cells ? piecesOf(activations.data as Float32Array, cells.data) : [];
}

/** The largest finite activation of all; 0 where none is above 0. */
export function strongest(maps: readonly CellMap[]): number {
  return Math.max(0, ...maps.map(({ values }) => limitOf(statsOf(values), "positive")));
}

export function pictureCanvas(picture: ImageData, label: string): HTMLCanvasElement {
  const canvas = h("canvas", { role: "img", "aria-label": label });
  putImage(canvas, picture);
  return canvas;
}

/** The canvas is drawn this fine at least: what is small on the screen of few pixels has an overlay all the same. */
const FINE = 96;

/** `picture` with what the channel does there over it, on a scale from 0 to `limit`; small values let it through. */
export function drawActivation(
  canvas: HTMLCanvasElement,
  picture: ImageData,
  map: CellMap | null,
  limit: number,
  extent: Extent = WHOLE,
): void {
  const factor = Math.max(1, Math.ceil(FINE / Math.max(picture.width, picture.height)));
  const size: Size = [picture.height * factor, picture.width * factor];
  [canvas.height, canvas.width] = size;
  const context = contextOf(canvas);
  const own = document.createElement("canvas");
  putImage(own, picture);
  context.imageSmoothingEnabled = false;
  context.drawImage(own, 0, 0, size[1], size[0]);
  if (!map || limit <= 0) return;
  const part = map.values.map((value) => Math.max(value, 0));
  const colouring = { limit, sign: "positive", name: "inferno", partial: false, fades: true } as const;
  putImage(own, colouredImage(resample(part, map.size, size, true, extent), size, colouring));
  context.globalAlpha = 0.6;
  context.drawImage(own, 0, 0);
  context.globalAlpha = 1;
}
