/** The picture of a sweep: its map over the photograph, and the place under the pointer or the crosshair. */
import { table } from "../_maps/colormaps";
import { pack } from "../_maps/paint";
import { type Photo, photoImage } from "../_maps/photo";
import { pixelAt, type Size } from "../_maps/resample";
import { farthest } from "../_maps/scale";
import { h, putImage, s } from "../_shared/dom";
import { rgbOf } from "./fills";
import { nearestPlace, patchOutline } from "./geometry";
import type { SweepView } from "./state";
import { nextPlace, patchAt, placeAt, type Swept } from "./swept";

const MEASURED = 175;
const ESTIMATED = 95;

/** The packed colour of each place; 0, which is clear, where it is unknown. */
function placeColours(swept: Swept, view: SweepView, colours: ReadonlyMap<number, string>): Uint32Array {
  const limit = farthest(swept.drop);
  const ramp = table("blue-red");
  return Uint32Array.from({ length: swept.rows * swept.columns }, (_, position) => {
    const alpha = swept.known[position] ? MEASURED : ESTIMATED;
    if (view !== "drop") {
      const colour = colours.get(swept.predicted[position]!);
      return colour ? pack(...rgbOf(colour), alpha) : 0;
    }
    const value = swept.drop[position]!;
    if (!Number.isFinite(value)) return 0;
    const at = Math.round(127.5 + (limit > 0 ? (127.5 * value) / limit : 0)) * 3;
    return pack(ramp[at]!, ramp[at + 1]!, ramp[at + 2]!, alpha);
  });
}

/** RGBA at the size of the picture; fainter where a place was not measured, nothing where it is unknown. */
export function mapPixels(
  swept: Swept,
  view: SweepView,
  colours: ReadonlyMap<number, string>,
  [height, width]: Size,
): Uint8ClampedArray<ArrayBuffer> {
  const byPlace = placeColours(swept, view, colours);
  const down = nearestPlace(swept.tops, swept.patch[0], height);
  const across = nearestPlace(swept.lefts, swept.patch[1], width);
  const bytes = new Uint8ClampedArray(height * width * 4);
  const pixels = new Uint32Array(bytes.buffer);
  for (let row = 0, at = 0; row < height; row += 1) {
    const start = down[row]! * swept.columns;
    for (let column = 0; column < width; column += 1, at += 1) pixels[at] = byPlace[start + across[column]!]!;
  }
  return bytes;
}

export class SweepMap {
  readonly photoCanvas = h("canvas", { class: "cnnw-layer" });
  readonly canvas = h("canvas", { class: "oc-map-layer cnnw-layer" });
  readonly element: HTMLElement;
  readonly #lines = s("svg", { class: "oc-lines cnnw-layer cnnw-over", preserveAspectRatio: "none" });
  #swept: Swept | null = null;
  #photo: Photo | null = null;
  /** The place that the keys begin from. */
  #current = 0;

  /** `onprobe` gets the place that the reader points at; null: none. */
  constructor(private readonly onprobe: (position: number | null) => void) {
    const role = { role: "application", "aria-roledescription": "map" };
    const parts = [this.photoCanvas, this.canvas, this.#lines];
    this.element = h("div", { class: "oc-map cnnw-around", tabindex: 0, ...role }, ...parts);
    this.#listen();
  }

  update(photo: Photo, swept: Swept, view: SweepView, colours: ReadonlyMap<number, string>): void {
    if (this.#current >= swept.drop.length) this.#current = 0;
    this.#swept = swept;
    const [height, width] = photo.size;
    if (this.#photo?.id !== photo.id) {
      putImage(this.photoCanvas, photoImage(photo));
      this.#lines.setAttribute("viewBox", `0 0 ${width} ${height}`);
      this.element.style.aspectRatio = `${width} / ${height}`;
    }
    this.#photo = photo;
    putImage(this.canvas, new ImageData(mapPixels(swept, view, colours, photo.size), width, height));
    const subject = view === "drop" ? `Drop of ${swept.target}` : "Predicted class";
    const grid = `${swept.rows} × ${swept.columns} places`;
    this.element.setAttribute("aria-label", `${subject} with the patch at ${grid}; arrow keys move over them`);
  }

  #listen(): void {
    const { element } = this;
    element.addEventListener("pointermove", (event) => this.#probe(this.#placeUnder(event)));
    element.addEventListener("pointerleave", () => this.#probe(null));
    element.addEventListener("focus", () => {
      const swept = this.#swept;
      if (swept && element.matches(":focus-visible")) this.#probe(Math.min(this.#current, swept.drop.length - 1));
    });
    element.addEventListener("blur", () => this.#probe(null));
    element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#probe(null);
      const next = this.#swept && nextPlace(this.#swept, this.#current, event.key);
      if (next === null) return;
      event.preventDefault();
      this.#probe(next);
    });
  }

  #placeUnder(event: PointerEvent): number | null {
    const { canvas } = this;
    const [swept, photo] = [this.#swept, this.#photo];
    if (!swept || !photo) return null;
    const pixel = pixelAt(event.clientX, event.clientY, canvas.getBoundingClientRect(), photo.size);
    return placeAt(swept, photo.size, ...pixel);
  }

  #probe(position: number | null): void {
    const swept = this.#swept;
    if (position !== null) this.#current = position;
    const isOnMap = position !== null && swept !== null && position < swept.drop.length;
    this.#lines.replaceChildren(...(isOnMap ? patchOutline(patchAt(swept, position), "is-selected") : []));
    this.onprobe(position);
  }
}
