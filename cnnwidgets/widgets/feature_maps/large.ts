/** One map, large, over the photograph. */
import { NOT_FINITE, table } from "../_maps/colormaps";
import { FIELD_EVENT, placeField } from "../_maps/field";
import { colourLevels, palette, TOP_LEVEL } from "../_maps/paint";
import { type Extent, WHOLE } from "../_maps/resample";
import { claim, contextOf, h, putImage } from "../_shared/dom";
import { number } from "../_shared/format";
import { ends, fieldOf, levelsOf, levelValue, type Maps, type MapsView, rounding, span } from "./view";

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

const HINT = "Point at the map to read a value.";

/** The large map with what reads it: the value under the pointer, or under the keyboard's marker. */
export class LargeStage {
  readonly canvas = h("canvas", { class: "fm-large", role: "img", tabindex: 0 });
  readonly #marker = h("div", { class: "fm-marker cnnw-over", hidden: true });
  readonly #reading = h("p", { class: "fm-reading cnnw-small cnnw-soft cnnw-figures", role: "status" }, HINT);
  readonly #field = h("div", { class: "cnnw-field-box cnnw-over", hidden: true });
  readonly #frame = h("div", { class: "fm-frame cnnw-around" }, this.canvas, this.#field, this.#marker);
  readonly element = h("div", {}, this.#frame, this.#reading);
  #scene: { view: MapsView; channel: number; picture: unknown } | null = null;
  #row = -1;
  #column = -1;

  /** `onopen` opens the arithmetic of a cell. */
  constructor(private readonly onopen: (row: number, column: number) => void) {
    this.canvas.addEventListener("click", () => this.#open());
    this.canvas.addEventListener("pointermove", (event) => this.#onPointer(event));
    this.canvas.addEventListener("pointerleave", () => this.#forget());
    this.canvas.addEventListener("blur", () => this.#forget());
    this.canvas.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && this.#row >= 0) {
        claim(event);
        this.#open();
      }
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!step) return;
      claim(event);
      if (this.#row < 0) this.#read(0, 0);
      else this.#read(this.#row + (step[0] ?? 0), this.#column + (step[1] ?? 0));
    });
  }

  draw(view: MapsView, channel: number, look: LargeLook): void {
    const { maps } = view;
    const before = this.#scene?.view.maps;
    const sameSize = before?.height === maps.height && before.width === maps.width;
    this.#scene = { view, channel, picture: look.picture };
    drawLarge(this.canvas, view, channel, look);
    const tall = ratio(maps, look.picture);
    this.#frame.style.maxWidth = tall > 1 ? `${Math.round(306 / tall)}px` : "";
    const label = `Channel ${channel} of ${maps.layer}, ${maps.height} × ${maps.width}. Arrow keys read values.`;
    this.canvas.setAttribute("aria-label", label);
    if (this.#row >= 0 && sameSize) this.#read(this.#row, this.#column);
    else this.#forget();
  }

  #read(row: number, column: number): void {
    if (!this.#scene) return;
    const { view, channel, picture } = this.#scene;
    const { maps } = view;
    this.#row = Math.min(maps.height - 1, Math.max(0, row));
    this.#column = Math.min(maps.width - 1, Math.max(0, column));
    const [left, top, across, down] = rectOf(maps, picture, 100, 100);
    const { style } = this.#marker;
    this.#marker.hidden = false;
    style.left = `${left + (this.#column / maps.width) * across}%`;
    style.top = `${top + (this.#row / maps.height) * down}%`;
    style.width = `${across / maps.width}%`;
    style.height = `${down / maps.height}%`;
    const level = levelsOf(maps, channel)[this.#row * maps.width + this.#column] ?? 255;
    const value = levelValue(maps, channel, level);
    const text = Number.isNaN(value) ? "NaN or infinite" : `≈ ${number(value)}`;
    this.#reading.textContent = `${text} at row ${this.#row}, column ${this.#column}`;
    this.#reading.title = `Rounded to ${rounding(maps)} of the map's range`;
    this.#showField(fieldOf(maps, this.#row, this.#column));
  }

  #open(): void {
    if (this.#row >= 0) this.onopen(this.#row, this.#column);
  }

  #showField(field: Extent | null): void {
    this.#field.hidden = !field || !this.#scene?.picture;
    if (field) placeField(this.#field, field);
    this.element.dispatchEvent(new CustomEvent(FIELD_EVENT, { bubbles: true, detail: field }));
  }

  #forget(text = HINT): void {
    if (this.#row >= 0) this.#showField(null);
    this.#marker.hidden = true;
    this.#row = this.#column = -1;
    this.#reading.textContent = text;
    this.#reading.title = "";
  }

  #onPointer(event: PointerEvent): void {
    if (!this.#scene) return;
    const { maps } = this.#scene.view;
    const box = this.canvas.getBoundingClientRect();
    const [left, top, across, down] = rectOf(maps, this.#scene.picture, box.width, box.height);
    const row = Math.floor(((event.clientY - box.top - top) / down) * maps.height);
    const column = Math.floor(((event.clientX - box.left - left) / across) * maps.width);
    const outside = row < 0 || column < 0 || row >= maps.height || column >= maps.width;
    if (outside) this.#forget("Outside of the map");
    else this.#read(row, column);
  }
}
