/** Sliders with their value beside them. */
import { h } from "../_shared/dom";
import { assign, type Model, watch } from "../_shared/model";
import type { State } from "./state";

interface Slider {
  element: HTMLElement;
  update(value: number, max: number, readout: string, spoken: string): void;
}

function slider(label: string, min: number, oninput: (value: number) => void): Slider {
  const input = h("input", { type: "range", "aria-label": label, min, step: 1 });
  input.addEventListener("input", () => oninput(input.valueAsNumber));
  const readout = h("output", {});
  return {
    element: h("div", { class: "cnnw-ho-slider" }, h("span", { "aria-hidden": "true" }, label), input, readout),
    update(value, max, text, spoken) {
      input.max = String(max);
      input.value = String(value);
      input.setAttribute("aria-valuetext", spoken);
      input.style.setProperty("--fill", `${max > min ? ((value - min) / (max - min)) * 100 : 100}%`);
      readout.textContent = text;
    },
  };
}

export function opacity(model: Model<State>): { element: HTMLElement; stop: () => void } {
  const made = slider("Opacity", 0, (value) => assign(model, "opacity", value / 100));
  const stop = watch(model, ["opacity"], () => {
    const value = Math.round(model.get("opacity") * 100);
    made.update(value, 100, `${value} %`, `${value} %`);
  });
  return { element: made.element, stop };
}

/** Moves over the layers, whose maps Python has at hand; the name is shown below. */
export function layers(model: Model<State>): { element: HTMLElement; stop: () => void } {
  const made = slider("Layer", 1, (value) => {
    const name = model.get("layers")[value - 1];
    if (name !== undefined) assign(model, "layer", name);
  });
  const name = h("span", { class: "cnnw-ho-layer", dir: "auto" });
  const box = h("input", { type: "checkbox" });
  box.addEventListener("change", () => assign(model, "follow", box.checked));
  const follow = h("label", { class: "cnnw-ho-check" }, box, "Follow the graph");
  const element = h("div", { class: "cnnw-ho-layers" }, made.element, h("div", { class: "cnnw-ho-line" }, name, follow));
  let last = 1;
  const stop = watch(model, ["layers", "layer", "follow"], () => {
    const all = model.get("layers");
    const layer = model.get("layer");
    const at = all.indexOf(layer) + 1;
    element.hidden = all.length === 0;
    last = Math.min(at || last, Math.max(all.length, 1));
    const text = `${at || "–"}/${all.length}`;
    made.update(last, all.length, text, at ? `${layer}, ${text}` : "none of these");
    name.textContent = name.title = layer;
    box.checked = model.get("follow");
  });
  return { element, stop };
}
