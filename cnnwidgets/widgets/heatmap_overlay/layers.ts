/** A slider over the layers, whose maps Python has at hand; the name is shown below. */
import { checkbox, h, setText } from "../_shared/dom";
import { Slider } from "../_shared/slider";
import type { Link } from "../_shared/view";
import type { OverlayState } from "./state";

export function layerSlider(link: Link<OverlayState>, thumbs: HTMLElement): HTMLElement {
  const slider = new Slider("Layer", 1, (value) => {
    const layer = link.get("layers")[value - 1];
    if (layer !== undefined) link.set("layer", layer);
  });
  const name = h("span", { class: "cnnw-ho-layer cnnw-cut", dir: "auto" });
  const follow = checkbox("Follow the graph", (on) => link.set("follow", on));
  const line = h("div", { class: "cnnw-row" }, name, follow.element);
  const element = h("div", { class: "cnnw-ho-layers" }, slider.element, thumbs, line);
  let last = 1;
  link.watch(["layers", "layer", "follow"], () => {
    const layers = link.get("layers");
    const layer = link.get("layer");
    const at = layers.indexOf(layer) + 1;
    element.hidden = layers.length === 0;
    last = Math.min(at || last, Math.max(layers.length, 1));
    const text = `${at || "–"}/${layers.length}`;
    slider.update(last, layers.length, text, at ? `${layer}, ${text}` : "none of these");
    setText(name, layer);
    follow.input.checked = link.get("follow");
  });
  return element;
}
