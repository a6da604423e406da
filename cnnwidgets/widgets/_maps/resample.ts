/**
 * Stretching a map over the part of a picture where it lies, as torch's interpolate(align_corners=False) does: pixel
 * centres at (i + ½), edges clamped. Always on the numbers, never on the colours.
 */
export type Size = readonly [height: number, width: number];

/** The part of a picture that a map's cells share among them, in shares of its sides; may reach outside of it. */
export type Extent = readonly [top: number, left: number, bottom: number, right: number];

export const WHOLE: Extent = [0, 0, 1, 1];

/** What a push says of it; all of the picture where it says nothing. */
export function extentOf(content: Readonly<Record<string, unknown>>): Extent {
  const { extent } = content;
  const four = Array.isArray(extent) && extent.length === 4 && extent.every(Number.isFinite);
  return four && extent[2] > extent[0] && extent[3] > extent[1] ? (extent as unknown as Extent) : WHOLE;
}

/** How many cells of a map of `size` would cover all of the picture. */
export function across([h, w]: Size, [top, left, bottom, right]: Extent = WHOLE): [number, number] {
  return [h / (bottom - top), w / (right - left)];
}

/** In place of a value: the map has no cell there. */
export const OUTSIDE = Number.POSITIVE_INFINITY;

/** Where a pixel lies along one side of a map: its cell, and how far it is from the middle of one cell to the next. */
interface Spot {
  cell: number;
  from: number;
  to: number;
  share: number;
}

/** Null where the map has no cell. */
function spotOf(index: number, cells: number, pixels: number, low: number, high: number): Spot | null {
  const inPicture = (index + 0.5) / pixels;
  if (inPicture < low || inPicture >= high) return null;
  const at = ((index - low * pixels + 0.5) * cells) / ((high - low) * pixels);
  const middle = Math.min(Math.max(at - 0.5, 0), cells - 1);
  const from = Math.floor(middle);
  return { cell: Math.min(Math.floor(at), cells - 1), from, to: Math.min(from + 1, cells - 1), share: middle - from };
}

/** The cell that pixel `index` lies in; -1 where there is none. */
export function cellIn(index: number, cells: number, pixels: number, low = 0, high = 1): number {
  return spotOf(index, cells, pixels, low, high)?.cell ?? -1;
}

/**
 * A cell that is not finite makes NaN of all that lies in it and takes no part in its neighbours: it neither spreads
 * nor fades.
 */
function valueOn(values: Float32Array, width: number, y: Spot | null, x: Spot | null, smooth: boolean): number {
  if (!y || !x) return OUTSIDE;
  const home = values[y.cell * width + x.cell]!;
  if (!Number.isFinite(home)) return Number.NaN;
  if (!smooth) return home;
  const [top, bottom] = [y.from * width, y.to * width];
  const upper = values[top + x.from]! * (1 - x.share) + values[top + x.to]! * x.share;
  const lower = values[bottom + x.from]! * (1 - x.share) + values[bottom + x.to]! * x.share;
  const value = upper * (1 - y.share) + lower * y.share;
  if (Number.isFinite(value)) return value;
  // Weights are shared out among the finite cells.
  let sum = 0;
  let weights = 0;
  for (const [at, weight] of [
    [top + x.from, (1 - y.share) * (1 - x.share)],
    [top + x.to, (1 - y.share) * x.share],
    [bottom + x.from, y.share * (1 - x.share)],
    [bottom + x.to, y.share * x.share],
  ] as const) {
    if (weight === 0 || !Number.isFinite(values[at])) continue;
    sum += weight * values[at]!;
    weights += weight;
  }
  return sum / weights;
}

/** The value at the centre of a pixel of the picture; OUTSIDE where the map has no cell. */
export function valueIn(
  values: Float32Array,
  [h, w]: Size,
  [height, width]: Size,
  [row, column]: Size,
  smooth: boolean,
  [top, left, bottom, right]: Extent = WHOLE,
): number {
  return valueOn(values, w, spotOf(row, h, height, top, bottom), spotOf(column, w, width, left, right), smooth);
}

/** `values` (h, w) at `target`; OUTSIDE where the map has no cell. May return `values` itself. */
export function resample(
  values: Float32Array,
  [h, w]: Size,
  [height, width]: Size,
  smooth: boolean,
  extent: Extent = WHOLE,
): Float32Array {
  const [top, left, bottom, right] = extent;
  const isWhole = extent.every((side, i) => side === WHOLE[i]);
  if (isWhole && h === height && w === width && values.every(Number.isFinite)) return values;
  const out = new Float32Array(height * width);
  const columns = Array.from({ length: width }, (_, column) => spotOf(column, w, width, left, right));
  for (let row = 0, at = 0; row < height; row += 1) {
    const spot = spotOf(row, h, height, top, bottom);
    for (const column of columns) {
      out[at] = valueOn(values, w, spot, column, smooth);
      at += 1;
    }
  }
  return out;
}

/**
 * At what size a map is painted: the picture's, at least `least` on the longer side so that the browser does not
 * interpolate colours over a tiny picture, and never coarser than the map, so that no value is skipped.
 */
export function paintSize([height, width]: Size, [h, w]: Size, least = 256, most = 640): Size {
  const longer = Math.max(height, width);
  const factor = longer < least * 0.75 ? Math.ceil(least / longer) : longer > most ? most / longer : 1;
  return [Math.max(Math.round(height * factor), h, 1), Math.max(Math.round(width * factor), w, 1)];
}

export type Pixel = readonly [row: number, column: number];

export interface ScreenBox {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** The pixel under a point of the screen; of a point beside the picture, the nearest. */
export function pixelAt(x: number, y: number, screen: ScreenBox, [height, width]: Size): Pixel {
  const row = Math.floor(((y - screen.top) / screen.height) * height);
  const column = Math.floor(((x - screen.left) / screen.width) * width);
  return [Math.min(Math.max(row, 0), height - 1), Math.min(Math.max(column, 0), width - 1)];
}
