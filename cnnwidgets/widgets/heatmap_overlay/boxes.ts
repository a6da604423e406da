/** Parts of a picture in its own pixels, and where they lie on the screen. */
import type { Pixel, ScreenBox, Size } from "../_maps/resample";

/** [top, left, height, width] in pixels of the picture. */
export type Box = readonly [top: number, left: number, height: number, width: number];

export interface Mark {
  box: Box;
  label: string;
  index: number;
}

export function boxBetween(corner: Pixel, opposite: Pixel): Box {
  const [top, left] = [Math.min(corner[0], opposite[0]), Math.min(corner[1], opposite[1])];
  return [top, left, Math.abs(corner[0] - opposite[0]) + 1, Math.abs(corner[1] - opposite[1]) + 1];
}

/** The mark under a pixel; of several, the smallest. */
export function markAt(marks: readonly Mark[], [row, column]: Pixel): Mark | null {
  const [y, x] = [row + 0.5, column + 0.5];
  const under = marks.filter(
    ({ box: [top, left, height, width] }) => y >= top && y <= top + height && x >= left && x <= left + width,
  );
  const area = ({ box }: Mark) => box[2] * box[3];
  return under.reduce<Mark | null>((least, mark) => (least && area(least) <= area(mark) ? least : mark), null);
}

/** A box as CSS, in percent of the picture; what sticks out of the picture is cut off. */
export function placed([top, left, height, width]: Box, [rows, columns]: Size): Record<keyof ScreenBox, string> {
  const within = (value: number, most: number) => Math.min(Math.max(value, 0), most);
  const [y0, y1] = [within(top, rows), within(top + height, rows)];
  const [x0, x1] = [within(left, columns), within(left + width, columns)];
  const percent = (part: number, whole: number) => `${(100 * part) / whole}%`;
  return {
    top: percent(y0, rows),
    left: percent(x0, columns),
    height: percent(y1 - y0, rows),
    width: percent(x1 - x0, columns),
  };
}

/** 1 at the pixels inside that touch one outside with a side, or the picture's edge unless that is no end. */
export function outline(inside: Uint8Array, [height, width]: Size, endsAtEdge = true): Uint8Array {
  return inside.map((own, at) => {
    const [row, column] = [Math.floor(at / width), at % width];
    if (!own) return 0;
    if (endsAtEdge && (row === 0 || column === 0 || row === height - 1 || column === width - 1)) return 1;
    const beside = [at - width, at + width, column > 0 ? at - 1 : at, column < width - 1 ? at + 1 : at];
    return beside.some((next) => inside[next] === 0) ? 1 : 0;
  });
}

/** White along the inside of a region and black along its outside, so that it is seen on any ground. */
export function regionImage(inside: Uint8Array, size: Size): ImageData {
  const image = new ImageData(size[1], size[0]);
  const line = outline(inside, size);
  const outside = inside.map((own) => 1 - own);
  const beyond = outline(outside, size, false);
  for (let at = 0; at < line.length; at += 1) {
    if (line[at]) image.data.set([255, 255, 255, 255], 4 * at);
    else if (beyond[at]) image.data.set([0, 0, 0, 255], 4 * at);
  }
  return image;
}
