/** "Where did it look?": photograph, map and controls. */
import "../_shared/base.css";
import "./widget.css";
import { openChannel, subscribe } from "../_shared/channel";
import { type ColormapName, DIVERGING, isColormap, SEQUENTIAL } from "../_shared/colormaps";
import { button, everyFrame, h, menu } from "../_shared/dom";
import { assign, type Model, type RenderContext, watch } from "../_shared/model";
import { shell } from "../_shared/shell";
import { bar } from "./bar";
import { type Heat, heatOf, mergedBy, viewOf } from "./heat";
import { methods } from "./methods";
import { notes } from "./notes";
import { download } from "./save";
import { sentencesOf } from "./scale";
import { segmented } from "./segmented";
import { layers, opacity } from "./sliders";
import { type Picture, stage } from "./stage";
import type { MapContent, Sign, State } from "./state";

const LOOKS = ["opacity", "colormap", "diverging", "sign", "smooth", "caption", "unit", "notes"] as const;

function initialize({ model }: { model: Model<State> }): void {
  openChannel(model);
}

function check(label: string, onchange: (on: boolean) => void) {
  const input = h("input", { type: "checkbox" });
  input.addEventListener("change", () => onchange(input.checked));
  return { element: h("label", { class: "cnnw-ho-check" }, input, label), input };
}

function render({ model, el }: RenderContext<State>): () => void {
  const closeShell = shell(el, model, "heatmap-overlay");
  let picture: Picture | null = null;
  let heat: Heat | null = null;
  let message = "";
  let arrived: number | null = null;

  const caption = h("span", { class: "cnnw-aside cnnw-ho-caption", dir: "auto" });
  const heading = h("h3", { class: "cnnw-heading" }, h("span", {}, "Where did it look?"), caption);
  const scene = stage();
  const scale = bar();
  const empty = h("div", { class: "cnnw-empty cnnw-ho-none" });
  const signs = segmented("Sign", (value) => assign(model, "sign", value as Sign));
  const said = notes((sign) => assign(model, "sign", sign));
  const parts = [methods(model), opacity(model), layers(model)] as const;
  const colours = h("span", {});
  const smooth = check("Smooth", (on) => assign(model, "smooth", on));
  const bare = check("Photograph only", (on) => scene.element.classList.toggle("is-alone", on));
  const save = button("Save", saveSheet, { title: "Save the picture with its colour bar as PNG" });
  const controls = h(
    "div",
    { class: "cnnw-ho-controls" },
    ...parts.map((part) => part.element),
    signs.element,
    h("div", { class: "cnnw-ho-line" }, colours, smooth.element, bare.element, save),
    said.element,
  );
  const figure = h("div", { class: "cnnw-ho-figure" }, scene.element, scale.element, empty);
  el.append(h("div", { class: "cnnw-ho-panel" }, heading, h("div", { class: "cnnw-ho-body" }, figure, controls)));

  function look() {
    const view = heat && viewOf(heat, model.get("sign"));
    const sign = view?.sign ?? model.get("sign");
    const wanted = model.get(sign === "signed" ? "diverging" : "colormap");
    const name: ColormapName = isColormap(wanted) ? wanted : sign === "signed" ? "blue-red" : "inferno";
    const text = [model.get("caption"), heat && mergedBy(heat, sign)].filter(Boolean).join(" · ");
    const sentences = [
      ...(view && heat ? sentencesOf(view.stats, sign, heat.partial) : []),
      ...model.get("notes"),
    ];
    return { view, sign, name, text, sentences };
  }

  function paint(): void {
    const { view, sign, name, text, sentences } = look();
    const something = picture !== null || heat !== null;
    caption.textContent = caption.title = text;
    scene.element.hidden = !something;
    // Its place is kept while a map is on its way, so that nothing jumps.
    scale.element.hidden = !heat && (!picture || message !== "");
    scale.element.style.visibility = heat ? "visible" : "hidden";
    empty.textContent = something ? message : message || "No image yet";
    empty.hidden = empty.textContent === "";
    scene.paint({ picture, heat, view, name, smooth: model.get("smooth") });
    scene.element.style.setProperty("--opacity", String(picture ? model.get("opacity") : 1));
    const what = picture ? "Heat map over the photograph" : "Heat map";
    scene.map.setAttribute("aria-label", heat ? [what, text].filter(Boolean).join(": ") : "Photograph");
    scale.update(view?.limit ?? 0, sign, name, model.get("unit"));
    said.update(sentences);
    paintControls(sign, name);
    el.classList.toggle("is-partial", heat?.partial ?? false);
    if (arrived !== null) {
      const id = arrived;
      arrived = null;
      el.dataset["painted"] = String(id);
      el.dispatchEvent(new CustomEvent("cnnw-painted", { bubbles: true, detail: { id } }));
    }
  }

  function paintControls(sign: Sign, name: ColormapName): void {
    const positive = heat?.magnitude ? "Magnitude" : "Positive";
    const why = heat?.unsigned ? { disabled: true, title: "This map has no sign" } : {};
    signs.update(
      [
        { value: "signed", label: "Signed", title: "All values, on a scale symmetric around 0", ...why },
        { value: "positive", label: positive, title: "Evidence for the class" },
        { value: "negative", label: "Negative", title: "Evidence against the class", ...why },
      ],
      sign,
    );
    smooth.input.checked = model.get("smooth");
    save.disabled = !picture && !heat;
    const current = colours.querySelector("select");
    const trait = sign === "signed" ? "diverging" : "colormap";
    if (current?.dataset["trait"] !== trait) {
      const choices = sign === "signed" ? DIVERGING : SEQUENTIAL;
      const select = menu("Colour map", choices, name, (value) => assign(model, trait, value));
      select.dataset["trait"] = trait;
      colours.replaceChildren(select);
    } else current.value = name;
  }

  function saveSheet(): void {
    frame.cancel();
    paint();
    const { view, sign, name, text, sentences } = look();
    download({
      photo: scene.photo,
      map: scene.map,
      opacity: picture ? model.get("opacity") : 1,
      smooth: model.get("smooth"),
      limit: view?.limit ?? 0,
      sign,
      name,
      caption: text,
      unit: model.get("unit"),
      warnings: sentences.filter(({ level }) => level === "warn").map((sentence) => sentence.text),
    });
  }

  const frame = everyFrame(paint);
  const stops = [
    subscribe(model, "picture", (data) => {
      const given = data.arrays["pixels"];
      const [height = 0, width = 0] = given?.shape ?? [];
      picture = given ? { id: data.id, size: [height, width], pixels: given.data as Uint8Array } : null;
      el.dataset["picture"] = String(data.id);
      frame.request();
    }),
    subscribe(model, "map", (data) => {
      heat = heatOf(data);
      message = (data.content as MapContent).message ?? "";
      arrived = data.id;
      frame.request();
    }),
    watch(model, LOOKS, frame.request),
  ];
  return () => {
    frame.cancel();
    stops.forEach((stop) => stop());
    parts.forEach((part) => part.stop());
    closeShell();
  };
}

export default { initialize, render };
