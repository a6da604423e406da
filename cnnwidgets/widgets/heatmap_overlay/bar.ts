/** The colour bar, with the map's own numbers at its ends and their unit. */
import { type BarScale, ColourBar } from "../_maps/colour_bar";
import { h } from "../_shared/dom";

export interface OverlayScale extends BarScale {
  unit: string;
  /** The three channels are mixed, each around mid grey. */
  mixed: boolean;
}

const MIXED = "red, green and blue are the three channels, 0 is mid grey; without the photograph";
const MEANINGS = [
  ["weighted activation", "The layer's maps, each weighted by how much the score depends on it, added up"],
  ["activation times", "The layer's maps, each place weighted by how much the score depends on it"],
  ["principal component", "What the layer's maps have most in common, whatever the class"],
  ["input times", "Each pixel's value times how much the score would change with it"],
  ["gradient", "How much the score would change with a small change at this place"],
  ["probability", "How much less probable the class is with this place hidden"],
] as const;
const FADES = "Small values let the photograph through";
const GREYS = "linear-gradient(to right, #000, #808080, #fff)";

/** What is written under the bar: signed, its middle belongs to the zero; else the unit stands there. */
export function underBar({ unit, mixed, sign }: OverlayScale): string {
  return [(mixed || sign === "signed") && unit, mixed && MIXED].filter(Boolean).join(" · ");
}

export class OverlayBar {
  readonly #bar = new ColourBar("cnnw-ho");
  readonly #unit = h("div", { class: "cnnw-ho-unit cnnw-wrap", dir: "auto" });
  readonly element = this.#bar.element;

  constructor() {
    this.element.append(this.#unit);
  }

  update(scale: OverlayScale): void {
    const { unit, mixed } = scale;
    const sign = mixed ? "signed" : scale.sign;
    this.#bar.update({ ...scale, sign }, unit, mixed ? GREYS : undefined);
    if (sign !== "signed") this.#bar.middle.textContent = unit;
    this.#unit.textContent = underBar(scale);
    const meaning = MEANINGS.find(([words]) => unit.includes(words))?.[1];
    this.element.title = [meaning, FADES].filter(Boolean).join(". ");
  }
}
