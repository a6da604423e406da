/** A slider with its value beside it. */
import { h } from "./dom";
import "./slider.css";

export class Slider {
  readonly element: HTMLElement;
  readonly #input: HTMLInputElement;
  readonly #readout = h("output", { class: "cnnw-value cnnw-figures" });

  constructor(label: string, min: number, oninput: (value: number) => void) {
    this.#input = h("input", { type: "range", "aria-label": label, min, step: 1 });
    this.#input.addEventListener("input", () => oninput(this.#input.valueAsNumber));
    const name = h("span", { "aria-hidden": "true" }, label);
    this.element = h("div", { class: "cnnw-slider cnnw-soft" }, name, this.#input, this.#readout);
  }

  update(value: number, max: number, text: string, spoken = text): void {
    this.#input.max = String(max);
    this.#input.value = String(value);
    this.#input.setAttribute("aria-valuetext", spoken);
    this.#readout.textContent = text;
  }

  disable(off: boolean): void {
    this.#input.disabled = off;
    this.element.classList.toggle("is-off", off);
  }
}
