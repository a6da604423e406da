/** The colour bar, with the map's own numbers and their unit; and the panel as a PNG, which has it too. */

import { type BarScale, ColourBar } from "../_maps/controls";
import { barLabels } from "../_maps/scale";
import { MARGIN, Sheet } from "../_maps/sheet";
import { h } from "../_shared/dom";
import type { OverlayStage } from "./stage";

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
  ["part of the score", "What each number of the input adds to the score, on the way from the baseline to the image"],
  ["share of the logit", "What each place adds to the score of the class"],
  ["drop of the score", "How much lower the score is with this place hidden"],
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

/** `title` stands above: method, layer and class, photograph, network; `lines` below the colour bar. */
export function overlaySheet(
  { photo, map }: OverlayStage,
  scale: OverlayScale,
  opacity: number,
  smooth: boolean,
  title: readonly string[],
  lines: readonly string[],
): HTMLCanvasElement {
  const { limit, mixed, clipped, digits } = scale;
  const factor = Math.min(Math.max(1, 720 / photo.width), 4096 / Math.max(photo.width, photo.height));
  const width = Math.max(1, Math.round(photo.width * factor));
  const height = Math.max(1, Math.round(photo.height * factor));
  const sheet = new Sheet(Math.max(width, 360));
  sheet.heading(title);
  sheet.add(height + 16, (top) => {
    const { context } = sheet;
    context.imageSmoothingEnabled = !photo.classList.contains("is-tiny");
    context.drawImage(photo, MARGIN, top, width, height);
    context.imageSmoothingEnabled = smooth;
    context.globalAlpha = opacity;
    context.drawImage(map, MARGIN, top, width, height);
    context.globalAlpha = 1;
  });
  sheet.bar(
    limit > 0 ? (mixed ? "gray" : scale.name) : null,
    barLabels(limit, mixed ? "signed" : scale.sign, clipped, digits),
  );
  sheet.text(underBar({ ...scale, sign: "signed" }), "center");
  for (const line of lines) sheet.text(line);
  return sheet.finish();
}
