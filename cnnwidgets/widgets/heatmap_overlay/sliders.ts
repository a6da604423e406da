/** Sliders with their value beside them. */
import { h } from "../_shared/dom";
import { assign, type Model, watch } from "../_shared/model";
import type { State } from "./state";

export interface Slider {
  element: HTMLElement;
  update(value: number, max: number, readout: string, spoken: string): void;
}

export function slider(label: string, min: number, oninput: (value: number) => void): Slider {
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

export function opacity(model: Model<State>): {
  element: HTMLElement;
  disable: (on: boolean) => void;
  stop: () => void;
} {
  const made = slider("Opacity", 0, (value) => assign(model, "opacity", value / 100));
  const stop = watch(model, ["opacity"], () => {
    const value = Math.round(model.get("opacity") * 100);
    made.update(value, 100, `${value} %`, `${value} %`);
  });
  const disable = (on: boolean) => {
    made.element.querySelector("input")!.disabled = on;
    made.element.classList.toggle("is-off", on);
  };
  return { element: made.element, disable, stop };
}

/** In steps of half a percent; Python may set any number between. */
export function clip(model: Model<State>): { element: HTMLElement; stop: () => void } {
  const made = slider("Clip", 0, (value) => assign(model, "clip", value / 2));
  made.element.title = "Percent of the places, those of the largest magnitudes, that all get the largest colour";
  const stop = watch(model, ["clip"], () => {
    const text = `${Number(model.get("clip").toFixed(2))} %`;
    made.update(Math.round(model.get("clip") * 2), 10, text, `the largest ${text}`);
  });
  return { element: made.element, stop };
}

/** Moves over the layers, whose maps Python has at hand; the name is shown below. */
export function layers(model: Model<State>, thumbs: HTMLElement): { element: HTMLElement; stop: () => void } {
  const made = slider("Layer", 1, (value) => {
    const name = model.get("layers")[value - 1];
    if (name !== undefined) assign(model, "layer", name);
  });
  const name = h("span", { class: "cnnw-ho-layer", dir: "auto" });
  const box = h("input", { type: "checkbox" });
  box.addEventListener("change", () => assign(model, "follow", box.checked));
  const follow = h("label", { class: "cnnw-ho-check" }, box, "Follow the graph");
  const element = h(
    "div",
    { class: "cnnw-ho-layers" },
    made.element,
    thumbs,
    h("div", { class: "cnnw-ho-line" }, name, follow),
  );
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
