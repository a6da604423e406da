/** A strip of colours with the numbers that its ends and its middle stand for. */
import { h } from "../_shared/dom";
import { gradient } from "./colormaps";
import type { Colouring } from "./paint";
import { barLabels } from "./scale";

export interface BarScale extends Pick<Colouring, "limit" | "sign" | "name"> {
  /** Values past the ends get the end's colour. */
  clipped: boolean;
}

export class ColourBar {
  readonly element: HTMLElement;
  readonly middle = h("span", { dir: "auto" });
  readonly #low = h("span");
  readonly #high = h("span");
  readonly #strip = h("div", { class: "cnnw-ramp" });

  constructor(name: string) {
    const ends = h("div", { class: `cnnw-ends ${name}-ends` }, this.#low, this.middle, this.#high);
    this.element = h("div", { class: `cnnw-small cnnw-soft ${name}-bar`, role: "img" }, this.#strip, ends);
  }

  /** Draws the scale, in `background` if that is given; a unit is written in the middle where that has no number. */
  update(scale: BarScale, unit: string, background = gradient(scale.name)): void {
    const [low, middle, high] = barLabels(scale.limit, scale.sign, scale.clipped);
    this.#low.textContent = low;
    this.middle.textContent = middle;
    this.#high.textContent = high;
    this.#strip.style.background = scale.limit > 0 ? background : "none";
    const name = scale.limit > 0 ? `Colours from ${low} to ${high} ${unit}` : "No scale";
    this.element.setAttribute("aria-label", name);
  }
}
