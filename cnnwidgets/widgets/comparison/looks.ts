/** How the maps are drawn; nothing here asks Python for anything. */
import { type ColormapName, DIVERGING, isColormap, SEQUENTIAL } from "../_shared/colormaps";
import { h, menu } from "../_shared/dom";
import { assign, type Model, watch } from "../_shared/model";
import { type Png, saveButton } from "../_shared/png";
import { segmented } from "../heatmap_overlay/segmented";
import { slider } from "../heatmap_overlay/sliders";
import type { Sign } from "../heatmap_overlay/state";
import type { Mode, State } from "./state";

const MODES = [
  ["method", "Scale per method"],
  ["own", "Scale per map"],
  ["all", "One scale for all"],
] as const;

export function colourMap(model: Model<State>): ColormapName {
  const signed = model.get("sign") === "signed";
  const wanted = model.get(signed ? "diverging" : "colormap");
  return isColormap(wanted) ? wanted : signed ? "blue-red" : "inferno";
}

export function looks(model: Model<State>, make: () => Png): { element: HTMLElement; stop: () => void } {
  const signs = segmented("Sign", (value) => assign(model, "sign", value as Sign));
  const scale = menu("Scale", MODES, model.get("scale"), (value) => assign(model, "scale", value as Mode));
  const colours = h("span", {});
  const cover = slider("Opacity", 0, (value) => assign(model, "opacity", value / 100));
  const clip = slider("Clip", 0, (value) => assign(model, "clip", value / 2));
  clip.element.title = "Percent of an input gradient's places, the largest, that all get the largest colour";
  const save = saveButton(make, "Save the grid with its headings and scales as PNG");
  const element = h(
    "div",
    { class: "cnnw-cmp-looks" },
    signs.element,
    cover.element,
    clip.element,
    h("div", { class: "cnnw-ho-line" }, scale, colours, save.element),
  );
  const stop = watch(model, ["sign", "scale", "opacity", "clip", "colormap", "diverging"], () => {
    const sign = model.get("sign");
    signs.update(
      [
        { value: "signed", label: "Signed", title: "All values, on a scale symmetric around 0" },
        { value: "positive", label: "Positive", title: "Evidence for the class; of an input gradient its magnitude" },
        { value: "negative", label: "Negative", title: "Evidence against the class" },
      ],
      sign,
    );
    scale.value = model.get("scale");
    const share = Math.round(model.get("opacity") * 100);
    cover.update(share, 100, `${share} %`, `${share} %`);
    const amount = `${Number(model.get("clip").toFixed(2))} %`;
    clip.update(Math.round(model.get("clip") * 2), 10, amount, `the largest ${amount}`);
    const trait = sign === "signed" ? "diverging" : "colormap";
    const before = colours.querySelector("select");
    if (before?.dataset["trait"] === trait) before.value = colourMap(model);
    else {
      const options = sign === "signed" ? DIVERGING : SEQUENTIAL;
      const select = menu("Colour map", options, colourMap(model), (value) => assign(model, trait, value));
      select.dataset["trait"] = trait;
      colours.replaceChildren(select);
    }
  });
  return { element, stop };
}
