/** How the maps are drawn; nothing here asks Python for anything. */
import { ColourMenu, clipSlider, opacitySlider, signChoices, signControl } from "../_maps/controls";
import { h, menu } from "../_shared/dom";
import { type Png, SaveButton } from "../_shared/png";
import type { Link } from "../_shared/view";
import type { ComparisonState, Mode } from "./state";

const MODES = [
  ["method", "Scale per method"],
  ["own", "Scale per map"],
  ["all", "One scale for all"],
] as const;
const CLIP = "Percent of an input gradient's places, the largest, that all get the largest colour";
const POSITIVE = { label: "Positive", title: "Evidence for the class; of an input gradient its magnitude" };

export function looks(link: Link<ComparisonState>, sheet: () => Png): HTMLElement {
  const sign = signControl(link);
  const scale = menu("Scale", MODES, link.get("scale"), (value) => link.set("scale", value as Mode));
  const colours = new ColourMenu(link);
  const save = new SaveButton(sheet, "Save the grid with its headings and scales as PNG");
  const line = h("div", { class: "cnnw-row" }, scale, colours.element, save.element);
  const sliders = [opacitySlider(link), clipSlider(link, CLIP)].map(({ element }) => element);
  link.watch(["sign", "scale", "colormap", "diverging"], () => {
    sign.update(signChoices(POSITIVE), link.get("sign"));
    scale.value = link.get("scale");
    colours.update(link.get("sign"));
  });
  return h("div", { class: "cnnw-stack cnnw-cmp-looks" }, sign.element, ...sliders, line);
}
