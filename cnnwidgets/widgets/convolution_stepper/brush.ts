/** Drawing on the input: pure functions on its cells. */
import type { Volume } from "./sliding";

/** `input` with a soft stroke from one point to another, in every channel; places are in cells, from the top left. */
export function stroked(
  input: Volume,
  from: readonly [number, number],
  to: readonly [number, number],
  level: number,
): Volume {
  const { height, width, channels } = input;
  const values = input.values.slice();
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const away = distance([row + 0.5, column + 0.5], from, to);
      const share = Math.min(1, Math.max(0, 1.25 - away));
      for (let c = 0; share > 0 && c < channels; c += 1) {
        const at = (c * height + row) * width + column;
        const before = values[at]!;
        // A stroke only adds: its soft edge takes nothing away from the one before.
        values[at] = level === 0 ? before * (1 - share) : Math.max(before, share * level);
      }
    }
  }
  return { ...input, values };
}

/** What a stroke paints: white of a picture, the largest number of another input. */
export function inkOf({ values }: Volume): number {
  return values.reduce((most, value) => Math.max(most, value), 1);
}

/** How far a point is from the line between two others. */
function distance(
  point: readonly [number, number],
  from: readonly [number, number],
  to: readonly [number, number],
): number {
  const [down, across] = [to[0] - from[0], to[1] - from[1]];
  const length = down * down + across * across;
  const along = ((point[0] - from[0]) * down + (point[1] - from[1]) * across) / (length || 1);
  const share = Math.min(1, Math.max(0, along));
  return Math.hypot(point[0] - from[0] - share * down, point[1] - from[1] - share * across);
}
