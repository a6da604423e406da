/** The controls of how maps are coloured, and the bar that says what the colours stand for. */
import { checkbox, h, menu } from "../_shared/dom";
import { type Choice, Segmented } from "../_shared/segmented";
import { Slider } from "../_shared/slider";
import type { Link } from "../_shared/view";
import { type ColormapName, DIVERGING, gradient, isColormap, SEQUENTIAL } from "./colormaps";
import type { Colouring } from "./paint";
import { barLabels, type ColouringState, type Sign } from "./scale";

export const COLOURS = "Which colours stand for small and for large values";

/** What changes how maps are coloured. */
export const COLOURING = ["sign", "clip", "opacity", "colormap", "diverging"] as const;

/** The colour map chosen for maps with this sign. */
export function colourMapOf(link: Link<ColouringState>, sign: Sign): ColormapName {
  const name = link.get(sign === "signed" ? "diverging" : "colormap");
  return isColormap(name) ? name : sign === "signed" ? "blue-red" : "inferno";
}

export function smoothBox(link: { set(name: "smooth", on: boolean): void }) {
  const title = "Blend from cell to cell of the map; without it each cell is seen as it is";
  return checkbox("Smooth", (on) => link.set("smooth", on), title);
}

export class ColourMenu {
  readonly element = h("span");
  #select: HTMLSelectElement | null = null;
  #trait = "";

  constructor(private readonly link: Link<ColouringState>) {}

  update(sign: Sign): void {
    const trait = sign === "signed" ? "diverging" : "colormap";
    const name = colourMapOf(this.link, sign);
    if (!this.#select || trait !== this.#trait) {
      const choices = sign === "signed" ? DIVERGING : SEQUENTIAL;
      this.#select = menu("Colour map", choices, name, (value) => this.link.set(trait, value), COLOURS);
      this.element.replaceChildren(this.#select);
      this.#trait = trait;
    }
    this.#select.value = name;
  }
}

export function signControl(link: Link<ColouringState>): Segmented {
  return new Segmented("Sign", (value) => link.set("sign", value as Sign));
}

/** The choices of the sign; `negative` and `signed` are off where a map has no sign. */
export function signChoices(positive: { label: string; title: string }, off: Partial<Choice> = {}): Choice[] {
  return [
    { value: "signed", label: "Signed", title: "All values, on a scale symmetric around 0", ...off },
    { value: "positive", ...positive },
    { value: "negative", label: "Negative", title: "Evidence against the class", ...off },
  ];
}

export function opacitySlider(link: Link<ColouringState>): Slider {
  const slider = new Slider("Opacity", 0, (value) => link.set("opacity", value / 100));
  slider.element.title = "How much the map covers the photograph";
  link.watch(["opacity"], () => {
    const value = Math.round(link.get("opacity") * 100);
    slider.update(value, 100, `${value} %`);
  });
  return slider;
}

/** In steps of half a percent; Python may set any number between. */
export function clipSlider(link: Link<ColouringState>, title: string): Slider {
  const slider = new Slider("Clip", 0, (value) => link.set("clip", value / 2));
  slider.element.title = title;
  link.watch(["clip"], () => {
    const text = `${Number(link.get("clip").toFixed(2))} %`;
    slider.update(Math.round(link.get("clip") * 2), 10, text, `the largest ${text}`);
  });
  return slider;
}

export interface BarScale extends Pick<Colouring, "limit" | "sign" | "name"> {
  /** Values past the ends get the end's colour. */
  clipped: boolean;
  /** Of the numbers at its ends. */
  digits?: number | undefined;
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
    const [low, middle, high] = barLabels(scale.limit, scale.sign, scale.clipped, scale.digits);
    this.#low.textContent = low;
    this.middle.textContent = middle;
    this.#high.textContent = high;
    this.#strip.style.background = scale.limit > 0 ? background : "none";
    const name = scale.limit > 0 ? `Colours from ${low} to ${high} ${unit}` : "No scale";
    this.element.setAttribute("aria-label", name);
  }
}
