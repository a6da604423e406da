/** One map, large, over the photograph. */
import { NOT_FINITE, table } from "../_maps/colormaps";
import { WHOLE } from "../_maps/extent";
import { colourLevels, palette, TOP_LEVEL } from "../_maps/paint";
import { contextOf, putImage } from "../_shared/canvas";
import { ends, levelsOf, type Maps, span } from "./maps";
import type { MapsView } from "./view";

const SIDE = 612;

export interface LargeLook {
  picture: HTMLCanvasElement | null;
  opacity: number;
  smooth: boolean;
}

/** The side ratio of what is drawn: the photograph's, or the map's. */
export function ratio(maps: Maps, picture: HTMLCanvasElement | null): number {
  const own = picture ? picture.height / picture.width : maps.height / maps.width;
  return Math.min(4, Math.max(0.25, own));
}

export function drawLarge(canvas: HTMLCanvasElement, view: MapsView, channel: number, look: LargeLook): void {
  const { maps } = view;
  const tall = ratio(maps, look.picture);
  canvas.width = Math.round(tall > 1 ? SIDE / tall : SIDE);
  canvas.height = Math.round(tall > 1 ? SIDE : SIDE * tall);
  const context = contextOf(canvas);
  const { width, height } = canvas;
  context.imageSmoothingQuality = "high";
  if (look.picture) context.drawImage(look.picture, 0, 0, width, height);
  context.globalAlpha = look.picture ? look.opacity : 1;
  context.imageSmoothingEnabled = look.smooth || maps.width > width;
  const [left, top, across, down] = rectOf(maps, look.picture, width, height);
  context.drawImage(source(view, channel), left, top, across, down);
  hatchBad(context, maps, levelsOf(maps, channel), [left, top, across, down]);
  context.globalAlpha = 1;
}

/** The map at its own size; what is not finite is left out, so that blending does not smear it. */
function source(view: MapsView, channel: number): HTMLCanvasElement {
  const { maps } = view;
  const [lo, hi] = ends(maps, channel, span(maps, channel, view.scale, view.colormap));
  const image = new ImageData(maps.width, maps.height);
  colourLevels(levelsOf(maps, channel), palette(table(view.colormap), lo, hi, [0, 0, 0, 0]), image.data);
  const canvas = document.createElement("canvas");
  putImage(canvas, image);
  return canvas;
}

type Rect = readonly [left: number, top: number, width: number, height: number];

/** Where on a canvas of this size the map is drawn: where it lies in the photograph, if there is one. */
export function rectOf(maps: Pick<Maps, "extent">, picture: unknown, width: number, height: number): Rect {
  const [top, left, bottom, right] = picture ? maps.extent : WHOLE;
  return [left * width, top * height, (right - left) * width, (bottom - top) * height];
}

function hatchBad(
  context: CanvasRenderingContext2D,
  maps: Maps,
  levels: Uint8Array,
  [left, top, across, down]: Rect,
): void {
  let bad = levels.indexOf(TOP_LEVEL + 1);
  if (bad < 0) return;
  const stepX = across / maps.width;
  const stepY = down / maps.height;
  context.fillStyle = stripes(context) ?? `rgb(${NOT_FINITE.join()})`;
  for (; bad >= 0; bad = levels.indexOf(TOP_LEVEL + 1, bad + 1)) {
    const row = Math.floor(bad / maps.width);
    context.fillRect(left + (bad % maps.width) * stepX, top + row * stepY, stepX, stepY);
  }
}

function stripes(context: CanvasRenderingContext2D): CanvasPattern | null {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const ink = contextOf(tile);
  for (let y = 0; y < 8; y += 1) {
    for (let x = 0; x < 8; x += 1) {
      ink.fillStyle = (x + y) % 8 < 4 ? `rgb(${NOT_FINITE.join()})` : "#400040";
      ink.fillRect(x, y, 1, 1);
    }
  }
  return context.createPattern(tile, "repeat");
}
