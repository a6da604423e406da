/** The large map with what reads it: the value under the pointer, or under the keyboard's marker. */
import { claim, h } from "../_shared/dom";
import { number } from "../_shared/format";
import { drawLarge, type LargeLook, ratio, rectOf } from "./large";
import { levelsOf, levelValue } from "./maps";
import type { MapsView } from "./view";

const HINT = "Point at the map to read a value.";

export class LargeStage {
  readonly canvas = h("canvas", { class: "fm-large", role: "img", tabindex: 0 });
  readonly #marker = h("div", { class: "fm-marker", hidden: true });
  readonly #reading = h("p", { class: "fm-reading cnnw-small cnnw-soft cnnw-figures", role: "status" }, HINT);
  readonly #frame = h("div", { class: "fm-frame" }, this.canvas, this.#marker);
  readonly element = h("div", {}, this.#frame, this.#reading);
  #scene: { view: MapsView; channel: number; picture: unknown } | null = null;
  #row = -1;
  #column = -1;

  constructor() {
    this.canvas.addEventListener("pointermove", (event) => this.#onPointer(event));
    this.canvas.addEventListener("pointerleave", () => this.#forget());
    this.canvas.addEventListener("blur", () => this.#forget());
    this.canvas.addEventListener("keydown", (event) => {
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
    this.#reading.title = "Rounded to 1/254 of the map's range";
  }

  #forget(text = HINT): void {
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
