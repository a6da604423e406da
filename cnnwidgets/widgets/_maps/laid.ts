/** A map where it lies in the picture: resampling that leaves what it has no cell for. */
import { type Extent, WHOLE } from "./extent";
import { cell, resample, type Size, valueAt } from "./resample";

/** In place of a value: the map has no cell there. */
export const OUTSIDE = Number.POSITIVE_INFINITY;

/** The cell that target pixel `index` lies in; -1 where there is none. */
export function cellIn(index: number, source: number, target: number, low: number, high: number): number {
  const share = (index + 0.5) / target;
  if (share < low || share >= high) return -1;
  return cell(index - low * target, source, (high - low) * target);
}

/** As valueAt; OUTSIDE where the map has no cell. */
export function valueIn(
  values: Float32Array,
  [h, w]: Size,
  [height, width]: Size,
  row: number,
  column: number,
  smooth: boolean,
  [top, left, bottom, right]: Extent = WHOLE,
): number {
  if (cellIn(row, h, height, top, bottom) < 0 || cellIn(column, w, width, left, right) < 0) return OUTSIDE;
  const part = [(bottom - top) * height, (right - left) * width] as const;
  return valueAt(values, [h, w], part, row - top * height, column - left * width, smooth);
}

/** As resample; OUTSIDE where the map has no cell. */
export function laid(values: Float32Array, source: Size, target: Size, smooth: boolean, extent = WHOLE): Float32Array {
  if (extent.every((side, i) => side === WHOLE[i])) return resample(values, source, target, smooth);
  const [height, width] = target;
  const out = new Float32Array(height * width);
  for (let row = 0, at = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1, at += 1) {
      out[at] = valueIn(values, source, target, row, column, smooth, extent);
    }
  }
  return out;
}
