/** The colour bar, with the map's own numbers at its ends. */
import { type ColormapName, gradient } from "../_shared/colormaps";
import { h } from "../_shared/dom";
import { barLabels } from "./scale";
import type { Sign } from "./state";

export function bar() {
  const strip = h("div", { class: "cnnw-ho-strip" });
  const [low, middle, high] = [h("span"), h("span"), h("span")];
  const unit = h("div", { class: "cnnw-ho-unit", dir: "auto" });
  const element = h("div", { class: "cnnw-ho-bar" }, strip, h("div", { class: "cnnw-ho-ends" }, low, middle, high), unit);
  return {
    element,
    update(limit: number, sign: Sign, name: ColormapName, measure: string) {
      const labels = barLabels(limit, sign);
      strip.style.background = limit > 0 ? gradient(name) : "none";
      [low, middle, high].forEach((span, i) => (span.textContent = labels[i]!));
      // Signed, the middle belongs to the zero; else the unit has it.
      const inMiddle = sign !== "signed";
      if (inMiddle) middle.textContent = measure;
      unit.textContent = inMiddle ? "" : measure;
      element.setAttribute("aria-label", limit > 0 ? `Colours from ${labels[0]} to ${labels[2]} ${measure}` : "No scale");
      element.setAttribute("role", "img");
    },
  };
}
