/** The colour bar, with the map's own numbers at its ends. */
import { type ColormapName, gradient } from "../_shared/colormaps";
import { h } from "../_shared/dom";
import { barLabels } from "./scale";
import type { Sign } from "./state";

export interface Ends {
  limit: number;
  sign: Sign;
  name: ColormapName;
  unit: string;
  /** Values past the ends get the end's colour. */
  clipped: boolean;
  /** The three channels are mixed, each around mid grey. */
  mixed: boolean;
}

/** What is said of a bar for three mixed channels. */
export const MIXED = "red, green and blue are the three channels, 0 is mid grey; without the photograph";

const GREYS = "linear-gradient(to right, #000, #808080, #fff)";

export function bar() {
  const strip = h("div", { class: "cnnw-ho-strip" });
  const [low, middle, high] = [h("span"), h("span"), h("span")];
  const unit = h("div", { class: "cnnw-ho-unit", dir: "auto" });
  const element = h(
    "div",
    { class: "cnnw-ho-bar" },
    strip,
    h("div", { class: "cnnw-ho-ends" }, low, middle, high),
    unit,
  );
  return {
    element,
    update({ limit, sign, name, unit: measure, clipped, mixed }: Ends) {
      const labels = barLabels(limit, mixed ? "signed" : sign, clipped);
      strip.style.background = limit === 0 ? "none" : mixed ? GREYS : gradient(name);
      [low, middle, high].forEach((span, i) => (span.textContent = labels[i]!));
      // Signed, the middle belongs to the zero; else the unit has it.
      const inMiddle = sign !== "signed" && !mixed;
      if (inMiddle) middle.textContent = measure;
      const how = mixed ? MIXED : "";
      unit.textContent = inMiddle ? "" : [measure, how].filter(Boolean).join(" · ");
      element.setAttribute(
        "aria-label",
        limit > 0 ? `Colours from ${labels[0]} to ${labels[2]} ${measure}` : "No scale",
      );
      element.setAttribute("role", "img");
    },
  };
}
