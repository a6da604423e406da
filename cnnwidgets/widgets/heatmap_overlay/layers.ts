/** A slider over the layers, whose maps Python has at hand; the name is shown below. */
import { checkbox, h, setText } from "../_shared/dom";
import { Slider } from "../_shared/slider";
import type { Link } from "../_shared/view";
import type { OverlayState } from "./state";

const PIN = "Keep the overlay at this layer while other layers are looked at";

export function layerSlider(link: Link<OverlayState>, thumbs: HTMLElement): HTMLElement {
  const slider = new Slider("Layer", 1, (value) => {
    const layer = link.get("layers")[value - 1];
    if (layer !== undefined) link.set("layer", layer);
  });
  const name = h("span", { class: "cnnw-ho-layer cnnw-cut", dir: "auto" });
  const pin = checkbox("Pin", (on) => link.set("follow", !on), PIN);
  const line = h("div", { class: "cnnw-ho-slider" }, slider.element, pin.element);
  const element = h("div", { class: "cnnw-ho-layers" }, line, thumbs, name);
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
    pin.input.checked = !link.get("follow");
  });
  return element;
}
