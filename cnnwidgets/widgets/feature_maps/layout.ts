/** Where the cells of the grid are. Pure arithmetic: the grid may hold thousands of cells, of which few exist. */
export const GAP = 6;
export const CAPTION = 17;
const ROW_GAP = 6;
const SIZES = { small: 48, medium: 72, large: 132 } as const;

export interface Layout {
  count: number;
  columns: number;
  /** Of the picture in a cell. */
  width: number;
  height: number;
  /** From one column, or row, to the next. */
  stepX: number;
  stepY: number;
  /** Of all rows together. */
  total: number;
}

/** Fills `available` pixels with columns about as wide as `size` says. `ratio` is a map's height over its width. */
export function layout(count: number, available: number, size: keyof typeof SIZES, ratio: number): Layout {
  const ideal = SIZES[size];
  const columns = Math.max(1, Math.floor((available + GAP) / (ideal + GAP)));
  const width = Math.max(16, Math.floor((available + GAP) / columns) - GAP);
  // A very long or very high map is letterboxed rather than given a cell that nobody could scan.
  const height = Math.round(width * Math.min(2, Math.max(0.4, ratio)));
  const stepY = height + CAPTION + ROW_GAP;
  const rows = Math.ceil(count / columns);
  return { count, columns, width, height, stepX: width + GAP, stepY, total: Math.max(0, rows * stepY - ROW_GAP) };
}

/** First position on screen and the first one after, with `spare` rows more above and below. */
export function visible(grid: Layout, top: number, height: number, spare = 1): [number, number] {
  const first = Math.max(0, Math.floor(top / grid.stepY) - spare);
  const last = Math.floor((top + Math.max(0, height - 1)) / grid.stepY) + spare;
  return [Math.min(grid.count, first * grid.columns), Math.min(grid.count, (last + 1) * grid.columns)];
}

export function positionOf(grid: Layout, position: number): { left: number; top: number } {
  return { left: (position % grid.columns) * grid.stepX, top: Math.floor(position / grid.columns) * grid.stepY };
}

/** The scroll offset nearest to `top` that shows the whole cell at `position`. */
export function reveal(grid: Layout, position: number, top: number, height: number): number {
  const cell = positionOf(grid, position).top;
  const bottom = cell + grid.height + CAPTION;
  if (cell < top) return cell;
  return bottom > top + height ? Math.min(cell, bottom - height) : top;
}

/** Where a key leads from `position`; null: the key does not move. */
export function move(grid: Layout, position: number, key: string, height: number): number | null {
  const { columns, count } = grid;
  const page = Math.max(1, Math.floor(height / grid.stepY)) * columns;
  const steps: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -page,
    PageDown: page,
    Home: -position,
    End: count - 1 - position,
  };
  const step = Object.hasOwn(steps, key) ? steps[key] : undefined;
  if (step === undefined || count === 0) return null;
  const to = position + step;
  if (to >= 0 && to < count) return to;
  if (Math.abs(step) === 1) return position;
  // Up and down keep the column, also where the last row is short.
  const column = position % columns;
  const lastRow = Math.floor((count - 1) / columns);
  return step < 0 ? column : Math.min(count - 1, lastRow * columns + column);
}
