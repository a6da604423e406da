/**
 * Stretching a map over a picture, as torch's interpolate(align_corners=False) does: pixel centres at (i + ½),
 * edges clamped. Always on the numbers, never on the colours.
 */
export type Size = readonly [height: number, width: number];

/** Source position of the centre of target pixel `index`, in source pixels. */
function centre(index: number, source: number, target: number): number {
  return Math.min(Math.max(((index + 0.5) * source) / target - 0.5, 0), source - 1);
}

/** The cell that target pixel `index` lies in. */
export function cell(index: number, source: number, target: number): number {
  return Math.min(Math.floor(((index + 0.5) * source) / target), source - 1);
}

/**
 * The value at the centre of target pixel (row, column). A cell that is not finite makes NaN of all that lies in it
 * and takes no part in its neighbours: it neither spreads nor fades.
 */
export function valueAt(
  values: Float32Array,
  [h, w]: Size,
  [height, width]: Size,
  row: number,
  column: number,
  smooth: boolean,
): number {
  const home = values[cell(row, h, height) * w + cell(column, w, width)] as number;
  if (!Number.isFinite(home)) return Number.NaN;
  if (!smooth) return home;
  const y = centre(row, h, height);
  const x = centre(column, w, width);
  const top = Math.floor(y);
  const left = Math.floor(x);
  let sum = 0;
  let weights = 0;
  for (const [i, wi] of [
    [top, 1 - (y - top)],
    [Math.min(top + 1, h - 1), y - top],
  ] as const) {
    for (const [j, wj] of [
      [left, 1 - (x - left)],
      [Math.min(left + 1, w - 1), x - left],
    ] as const) {
      const value = values[i * w + j] as number;
      if (wi * wj === 0 || !Number.isFinite(value)) continue;
      sum += wi * wj * value;
      weights += wi * wj;
    }
  }
  return sum / weights;
}

/** `values` (h, w) at `target`; NaN where the cell underneath is not finite. May return `values` itself. */
export function resample(values: Float32Array, source: Size, target: Size, smooth: boolean): Float32Array {
  const finite = values.every(Number.isFinite);
  if (finite && source[0] === target[0] && source[1] === target[1]) return values;
  if (!smooth) return nearest(values, source, target);
  if (finite) return bilinear(values, source, target);
  // Weights are shared out among the finite cells: interpolate them too, and divide.
  const sums = bilinear(
    values.map((value) => (Number.isFinite(value) ? value : 0)),
    source,
    target,
  );
  const weights = bilinear(
    values.map((value) => (Number.isFinite(value) ? 1 : 0)),
    source,
    target,
  );
  const homes = nearest(values, source, target);
  for (let i = 0; i < sums.length; i += 1) sums[i] = Number.isNaN(homes[i]!) ? Number.NaN : sums[i]! / weights[i]!;
  return sums;
}

function nearest(values: Float32Array, [h, w]: Size, [height, width]: Size): Float32Array {
  const out = new Float32Array(height * width);
  const columns = Int32Array.from({ length: width }, (_, column) => cell(column, w, width));
  for (let row = 0, at = 0; row < height; row += 1) {
    const start = cell(row, h, height) * w;
    for (let column = 0; column < width; column += 1, at += 1) {
      const value = values[start + columns[column]!]!;
      out[at] = value - value === 0 ? value : Number.NaN;
    }
  }
  return out;
}

function bilinear(values: Float32Array, [h, w]: Size, [height, width]: Size): Float32Array {
  const out = new Float32Array(height * width);
  const left = new Int32Array(width);
  const share = new Float32Array(width);
  for (let column = 0; column < width; column += 1) {
    const x = centre(column, w, width);
    left[column] = Math.floor(x);
    share[column] = x - Math.floor(x);
  }
  const line = new Float32Array(w + 1);
  for (let row = 0; row < height; row += 1) {
    const y = centre(row, h, height);
    const top = Math.floor(y) * w;
    const bottom = Math.min(Math.floor(y) + 1, h - 1) * w;
    const down = y - Math.floor(y);
    for (let j = 0; j < w; j += 1) line[j] = values[top + j]! * (1 - down) + values[bottom + j]! * down;
    line[w] = line[w - 1]!;
    for (let column = 0, at = row * width; column < width; column += 1, at += 1) {
      const j = left[column]!;
      const right = share[column]!;
      out[at] = line[j]! * (1 - right) + line[j + 1]! * right;
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
