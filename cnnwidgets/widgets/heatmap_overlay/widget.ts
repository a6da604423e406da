/** "Where did it look?": photograph, map and controls. */
import "../_shared/base.css";
import "./controls.css";
import "./widget.css";
import { type Data, openChannel, subscribe } from "../_shared/channel";
import { DIVERGING, SEQUENTIAL } from "../_shared/colormaps";
import { everyFrame, h, menu } from "../_shared/dom";
import { assign, listen, type Model, type RenderContext, watch } from "../_shared/model";
import { type Png, saveButton } from "../_shared/png";
import { shell } from "../_shared/shell";
import { fileName, titleOf } from "../_shared/title";
import { bar, type Ends } from "./bar";
import { coloursOf } from "./colours";
import { type Heat, heatOf } from "./heat";
import { type Look, lookOf } from "./look";
import { methods } from "./methods";
import { notes } from "./notes";
import { picking } from "./picking";
import { draw } from "./save";
import { segmented } from "./segmented";
import { clip, layers, opacity } from "./sliders";
import { type Picture, stage } from "./stage";
import type { MapContent, Sign, State } from "./state";
import { type Strip, stripOf, thumbs } from "./strip";

const LOOKS = [
  "opacity",
  "colormap",
  "diverging",
  "sign",
  "clip",
  "rgb",
  "smooth",
  "caption",
  "unit",
  "notes",
  "method",
  "layers",
  "strip_scale",
] as const;

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
  let answered: Heat | null = null;
  let channels: Data | null = null;
  let given: Strip | null = null;
  // The slider has moved, and Python has not yet answered with that layer's map.
  let ahead = false;
  let message = "";
  let arrived: number | null = null;
  let resized = false;

  const caption = h("span", { class: "cnnw-aside cnnw-ho-caption", dir: "auto" });
  const heading = h("h3", { class: "cnnw-heading" }, h("span", {}, "Where did it look?"), caption);
  const scene = stage();
  const picks = picking(model, scene);
  const scale = bar();
  const empty = h("div", { class: "cnnw-empty cnnw-ho-none" });
  const signs = segmented("Sign", (value) => assign(model, "sign", value as Sign));
  const tones = segmented("Channels", (value) => assign(model, "rgb", value === "rgb"));
  const said = notes((sign) => assign(model, "sign", sign));
  const small = thumbs(model);
  const cover = opacity(model);
  const parts = [methods(model), cover, clip(model), layers(model, small.element)] as const;
  const colourMaps = h("span", {});
  const smooth = check("Smooth", (on) => assign(model, "smooth", on));
  const bare = check("Photograph only", (on) => scene.element.classList.toggle("is-alone", on));
  const save = saveButton(sheet, "Save the picture with its colour bar as PNG");
  const controls = h(
    "div",
    { class: "cnnw-ho-controls" },
    ...parts.map((part) => part.element),
    signs.element,
    tones.element,
    h("div", { class: "cnnw-ho-line" }, colourMaps, smooth.element, bare.element, save.element),
    said.element,
  );
  const figure = h("div", { class: "cnnw-ho-figure" }, picks.element, scene.element, scale.element, empty);
  el.append(h("div", { class: "cnnw-ho-panel" }, heading, h("div", { class: "cnnw-ho-body" }, figure, controls)));

  /** The strip while its method is chosen, with the maps of the layers to choose from. */
  function strip(): Strip | null {
    return given && (given.method === "" || given.method === model.get("method")) && model.get("layers").length > 0
      ? given
      : null;
  }

  function current(): { heat: Heat | null; look: Look; early: boolean } {
    const early = ahead ? strip() : null;
    const guess = early?.maps.get(model.get("layer")) ?? null;
    const heat = guess ?? answered;
    const colours = heat && heat === answered && model.get("rgb") ? coloursOf(channels, heat.id) : null;
    return { heat, look: lookOf(model, heat, colours, guess && early), early: guess !== null };
  }

  /** The colours of a photograph under the channels' own would be taken for theirs. */
  const opacityOf = (look: Look) => (picture && !look.colours ? model.get("opacity") : 1);

  function endsOf({ scale: { limit, clip: clipped }, sign, name, unit, colours }: Look): Ends {
    return { limit, sign, name, unit, clipped: clipped > 0, mixed: colours !== null };
  }

  function paint(): void {
    const { heat, look, early } = current();
    const something = picture !== null || heat !== null;
    caption.textContent = caption.title = look.caption;
    scene.element.hidden = !something;
    // Its place is kept while a map is on its way, so that nothing jumps.
    scale.element.hidden = !heat && (!picture || message !== "");
    scale.element.style.visibility = heat ? "visible" : "hidden";
    empty.textContent = something ? (heat ? "" : message) : message || "No image yet";
    empty.hidden = empty.textContent === "";
    const { view, colours, name } = look;
    scene.paint({ picture, heat, view, limit: look.scale.limit, colours, name, smooth: model.get("smooth") });
    if (resized) picks.paint();
    resized = false;
    scene.element.style.setProperty("--opacity", String(opacityOf(look)));
    const what = picture ? "Heat map over the photograph" : "Heat map";
    scene.map.setAttribute("aria-label", heat ? [what, look.caption].filter(Boolean).join(": ") : "Photograph");
    scale.update(endsOf(look));
    said.update(look.sentences);
    paintControls(heat, look);
    const shared = model.get("strip_scale") === "shared";
    const { sign } = look;
    small.update(strip(), model.get("layer"), {
      sign,
      name,
      clip: model.get("clip"),
      shared,
      smooth: model.get("smooth"),
    });
    el.classList.toggle("is-partial", heat?.partial ?? false);
    el.classList.toggle("is-early", early);
    if (arrived !== null) {
      const id = arrived;
      arrived = null;
      el.dataset["painted"] = String(id);
      el.dispatchEvent(new CustomEvent("cnnw-painted", { bubbles: true, detail: { id } }));
    }
  }

  function paintControls(heat: Heat | null, { sign, name, colours }: Look): void {
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
    cover.disable(colours !== null);
    signs.element.hidden = colours !== null;
    tones.element.hidden = heat?.channels !== 3 || heat.partial;
    tones.update(
      [
        { value: "merged", label: "Merged", title: "One number a place: the three channels merged" },
        { value: "rgb", label: "Colour", title: "The three channels as red, green and blue; 0 is mid grey" },
      ],
      model.get("rgb") ? "rgb" : "merged",
    );
    smooth.input.checked = model.get("smooth");
    save.allow(picture !== null || heat !== null);
    colourMaps.hidden = colours !== null;
    const before = colourMaps.querySelector("select");
    const trait = sign === "signed" ? "diverging" : "colormap";
    if (before?.dataset["trait"] !== trait) {
      const choices = sign === "signed" ? DIVERGING : SEQUENTIAL;
      const select = menu("Colour map", choices, name, (value) => assign(model, trait, value));
      select.dataset["trait"] = trait;
      colourMaps.replaceChildren(select);
    } else before.value = name;
  }

  const labelOf = (method: string) => model.get("methods").find(([name]) => name === method)?.[1] ?? method;

  function sheet(): Png {
    frame.cancel();
    paint();
    const { heat, look, early } = current();
    const method = early ? labelOf(strip()?.method ?? "") : (heat?.by ?? "");
    // Of a method without a layer the caption begins with its name.
    const title = titleOf(model, look.caption.startsWith(method) ? "" : method, look.caption);
    const lines = look.sentences.filter(({ level }) => level !== "ok");
    const explains = model.get("explains");
    const canvas = draw({
      ...endsOf(look),
      photo: scene.photo,
      map: scene.map,
      opacity: opacityOf(look),
      smooth: model.get("smooth"),
      title,
      said: [
        ...[explains, heat?.made ?? ""].filter(Boolean),
        ...lines.map(({ level, text }) => (level === "warn" ? `⚠ ${text}` : text)),
      ],
    });
    return { canvas, name: fileName(...title) };
  }

  const frame = everyFrame(paint);
  const moved = () => {
    const layer = model.get("layer");
    ahead = (answered ? answered.layer !== layer : message === "") && (strip()?.maps.has(layer) ?? false);
    frame.request();
  };
  const stops = [
    subscribe(model, "picture", (data) => {
      const pixels = data.arrays["pixels"];
      const [height = 0, width = 0] = pixels?.shape ?? [];
      picture = pixels ? { id: data.id, size: [height, width], pixels: pixels.data as Uint8Array } : null;
      el.dataset["picture"] = String(data.id);
      frame.request();
      resized = true;
    }),
    subscribe(model, "map", (data) => {
      const content = data.content as MapContent;
      answered = heatOf(data);
      message = content.message ?? "";
      arrived = data.id;
      // A late answer about a layer that the slider has left is no reason to go back.
      ahead &&= content.layer != null && content.layer !== model.get("layer");
      frame.request();
    }),
    subscribe(model, "colours", (data) => {
      channels = data;
      frame.request();
    }),
    subscribe(model, "strip", (data) => {
      given = stripOf(data);
      if (!answered || ahead) moved();
      frame.request();
    }),
    watch(model, LOOKS, frame.request),
    listen(model, "change:layer", moved),
  ];
  return () => {
    frame.cancel();
    stops.forEach((stop) => stop());
    parts.forEach((part) => part.stop());
    picks.stop();
    closeShell();
  };
}

export default { initialize, render };
