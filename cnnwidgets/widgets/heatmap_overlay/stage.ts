/** Photograph and map, one over the other, and the value under the pointer or the crosshair. */
import type { ColormapName } from "../_maps/colormaps";
import { type Heat, type HeatView, linesAt } from "../_maps/heat";
import { colouredImage } from "../_maps/paint";
import { type Photo, photoImage } from "../_maps/photo";
import { across, type Pixel, paintSize, pixelAt, resample, type Size } from "../_maps/resample";
import { changes, claim, h, putImage } from "../_shared/dom";
import { type Colours, channelsAt, mixedImage, planes } from "./colours";

export interface Scene {
  photo: Photo | null;
  heat: Heat | null;
  view: HeatView | null;
  /** The value that gets the last colour. */
  limit: number;
  /** In place of the view's colours: the channels' own. */
  colours: Colours | null;
  name: ColormapName;
  smooth: boolean;
}

/** The cells, in whole numbers, that would cover the picture. */
function wholeCells({ size, extent }: Heat): Size {
  const [rows, columns] = across(size, extent);
  return [Math.round(rows), Math.round(columns)];
}

/** Below this the photograph is a handful of pixels, and each should be seen as what it is. */
const TINY = 96;

export class OverlayStage {
  readonly photo = h("canvas", { class: "cnnw-ho-photo cnnw-layer", "aria-hidden": "true" });
  readonly map = h("canvas", { class: "cnnw-ho-map cnnw-layer", role: "img", tabindex: 0 });
  readonly element: HTMLElement;
  readonly #cross = h("div", { class: "cnnw-ho-cross cnnw-over", hidden: true });
  readonly #tip = h("div", { class: "cnnw-ho-tip cnnw-over cnnw-small", hidden: true, "aria-hidden": "true" });
  readonly #live = h("div", { class: "cnnw-spoken", "aria-live": "polite" });
  #scene: Scene = { photo: null, heat: null, view: null, limit: 0, colours: null, name: "inferno", smooth: true };
  readonly #photoChanged = changes();
  readonly #coloursChanged = changes();
  readonly #valuesChanged = changes();
  #values: Float32Array[] = [];
  #pixel: Pixel | null = null;

  constructor() {
    const parts = [this.photo, this.map, this.#cross, this.#tip, this.#live];
    this.element = h("div", { class: "cnnw-ho-stage cnnw-around" }, ...parts);
    this.#listenToPointer();
    this.#listenToKeys();
  }

  paint(scene: Scene): void {
    this.#scene = scene;
    this.#paintPhoto();
    this.#paintMap();
    if (this.#pixel) this.#probe(this.#pixel, !this.#cross.hidden);
  }

  /** Of the picture, or of what the map would cover. */
  size(): Size {
    const { photo, heat } = this.#scene;
    return photo?.size ?? (heat ? wholeCells(heat) : [1, 1]);
  }

  crosshair(): Pixel | null {
    return this.#cross.hidden ? null : this.#pixel;
  }

  #paintPhoto(): void {
    const { photo } = this.#scene;
    if (!this.#photoChanged(photo) && photo) return;
    const [height, width] = this.size();
    this.element.style.setProperty("--ratio", String(width / height));
    this.photo.classList.toggle("is-tiny", Math.max(height, width) < TINY);
    putImage(this.photo, photo ? photoImage(photo) : new ImageData(width, height));
  }

  #paintMap(): void {
    const { photo, heat, view, limit, colours, name, smooth } = this.#scene;
    if (!this.#coloursChanged(photo, view, limit, colours, name, smooth)) return;
    this.map.classList.toggle("is-cells", !smooth);
    if (!heat || !view) {
      putImage(this.map, new ImageData(1, 1));
      return;
    }
    const target = paintSize(this.size(), wholeCells(heat));
    if (this.#valuesChanged(photo, view, colours, smooth)) {
      this.#values = colours
        ? planes(colours, target, smooth)
        : [resample(view.part, heat.size, target, smooth, heat.extent)];
    }
    const colouring = { limit, sign: view.sign, name, partial: heat.partial, fades: photo !== null };
    const [values] = this.#values as [Float32Array];
    const image = colours ? mixedImage(this.#values, target, limit) : colouredImage(values, target, colouring);
    putImage(this.map, image);
  }

  /** Says what is at a pixel; of one beside the picture, at the nearest. Null: says nothing. */
  #probe(to: Pixel | null, withCross: boolean): void {
    const [height, width] = this.size();
    const { heat, view, colours, smooth } = this.#scene;
    const pixel = to && ([Math.min(Math.max(to[0], 0), height - 1), Math.min(Math.max(to[1], 0), width - 1)] as const);
    this.#pixel = pixel;
    this.#tip.hidden = !pixel || !heat;
    this.#cross.hidden = !pixel || !withCross;
    if (!pixel) return;
    const [x, y] = [(pixel[1] + 0.5) / width, (pixel[0] + 0.5) / height];
    for (const { style } of [this.#tip, this.#cross]) {
      style.left = `${x * 100}%`;
      style.top = `${y * 100}%`;
    }
    const [after, before] = ["12px", "calc(-100% - 12px)"];
    this.#tip.style.transform = `translate(${x > 0.5 ? before : after}, ${y < 0.25 ? after : before})`;
    if (!heat || !view) return;
    const lines = colours
      ? channelsAt(colours, [height, width], ...pixel)
      : linesAt(heat, view, [height, width], ...pixel, smooth);
    this.#tip.replaceChildren(...lines.map((line) => h("div", {}, line)));
    if (withCross) this.#live.textContent = lines.join(", ");
  }

  #listenToPointer(): void {
    const { map } = this;
    map.addEventListener("pointermove", (event) => {
      this.#probe(pixelAt(event.clientX, event.clientY, map.getBoundingClientRect(), this.size()), false);
    });
    map.addEventListener("pointerleave", () => this.#probe(null, false));
    map.addEventListener("blur", () => {
      this.#probe(null, false);
      this.element.classList.remove("is-bare");
    });
  }

  #listenToKeys(): void {
    this.map.addEventListener("keyup", (event) => {
      if (event.key === " ") this.element.classList.remove("is-bare");
    });
    this.map.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 10 : 1;
      const moves = {
        ArrowUp: [-step, 0],
        ArrowDown: [step, 0],
        ArrowLeft: [0, -step],
        ArrowRight: [0, step],
      } as const;
      const move = moves[event.key as keyof typeof moves];
      if (move) {
        const [height, width] = this.size();
        const middle: Pixel = [Math.floor(height / 2), Math.floor(width / 2)];
        this.#probe(this.#pixel ? [this.#pixel[0] + move[0], this.#pixel[1] + move[1]] : middle, true);
      } else if (event.key === " ") this.element.classList.add("is-bare");
      else if (event.key === "Escape") this.#probe(null, false);
      else return;
      claim(event);
    });
  }
}
