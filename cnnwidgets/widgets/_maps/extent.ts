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
export function across(
  [h, w]: readonly [number, number],
  [top, left, bottom, right]: Extent = WHOLE,
): [number, number] {
  return [h / (bottom - top), w / (right - left)];
}
