/** "Where did it look?": photograph, map and controls. */

import {
  COLOURING,
  ColourMenu,
  clipSlider,
  opacitySlider,
  signChoices,
  signControl,
  smoothBox,
} from "../_maps/controls";
import { followedField } from "../_maps/field";
import { type Heat, heatOf, type MapContent } from "../_maps/heat";
import { type Photo, photoOf } from "../_maps/photo";
import type { Sign } from "../_maps/scale";
import { checkbox, everyFrame, h, panelHeading, setText, tell } from "../_shared/dom";
import { fileName, type Png, SaveButton, titleOf } from "../_shared/png";
import { Segmented } from "../_shared/segmented";
import { type Data, entry, type Link, RootView } from "../_shared/view";
import { coloursOf } from "./colours";
import { layerSlider, type Strip, stripOf, Thumbs } from "./layers";
import { lookOf, type OverlayLook, type OverlayState } from "./look";
import { methodChoice } from "./methods";
import { Picking } from "./picking";
import { OverlayBar, type OverlayScale, overlaySheet } from "./save";
import { Notes } from "./sentences";
import { methodSettings } from "./settings";
import { OverlayStage } from "./stage";
import { Whole } from "./whole";
import "./widget.css";

const TEXTS = ["caption", "unit", "notes"] as const;
const LOOKS = [...COLOURING, ...TEXTS, "rgb", "limit", "smooth", "method", "layers", "strip_scale"] as const;
const CLIP = "Percent of the places, those of the largest magnitudes, that all get the largest colour";
const MERGED =
  "The map has a number for each channel of each pixel, such as red, green, blue: one number is drawn of them";
const TONES = [
  { value: "merged", label: "Merged", title: "One number a place: the three channels merged" },
  { value: "rgb", label: "Colour", title: "The three channels as red, green and blue; 0 is mid grey" },
];

/** What is shown now; `early` while it is the strip's map, until Python's own comes. */
interface Current {
  heat: Heat | null;
  look: OverlayLook;
  early: boolean;
}

class OverlayView extends RootView<OverlayState> {
  #photo: Photo | null = null;
  #heat: Heat | null = null;
  #channels: Data | null = null;
  #newestStrip: Strip | null = null;
  /** The slider has moved, and Python has not yet answered with that layer's map. */
  #ahead = false;
  #message = "";
  /** Id of a map that has come and is not painted yet. */
  #arrival: number | null = null;
  #resized = false;
  readonly #frame = everyFrame(() => this.#paint());
  readonly #caption = h("span", { class: "cnnw-aside cnnw-ho-caption cnnw-cut", dir: "auto" });
  readonly #stage = new OverlayStage();
  readonly #picking = new Picking(this.link, this.#stage);
  readonly #bar = new OverlayBar();
  readonly #empty = h("div", { class: "cnnw-empty cnnw-ho-none" });
  readonly #sign = signControl(this.link);
  readonly #tones = new Segmented("Channels", (value) => this.link.set("rgb", value === "rgb"));
  readonly #notes = new Notes((sign: Sign) => this.link.set("sign", sign));
  readonly #thumbs = new Thumbs(this.link);
  readonly #opacity = opacitySlider(this.link);
  readonly #colourMenu = new ColourMenu(this.link);
  readonly #smooth = smoothBox(this.link);
  readonly #save = new SaveButton(() => this.#sheet(), "Save the picture with its colour bar as PNG");

  constructor(link: Link<OverlayState>, el: HTMLElement) {
    super(link, el);
    this.#build();
    link.onClose(this.#frame.cancel);
    this.#listen();
  }

  #build(): void {
    const figure = h("div", { class: "cnnw-ho-figure" });
    const whole = new Whole(this.link, figure, this.#stage.element);
    const heading = panelHeading("Where did it look?", this.#caption);
    const hide = (on: boolean) => this.#stage.element.classList.toggle("is-alone", on);
    const bare = checkbox("Photograph only", hide, "Take the map away; Space on the picture does so while it is held");
    const display = h(
      "details",
      { class: "cnnw-fold" },
      h("summary", { title: "Opacity, sign, colours, smoothing" }, "Display"),
      h(
        "div",
        { class: "cnnw-stack" },
        this.#opacity.element,
        clipSlider(this.link, CLIP).element,
        this.#sign.element,
        this.#tones.element,
        h("div", { class: "cnnw-row" }, this.#colourMenu.element, this.#smooth.element, bare.element),
      ),
    );
    const controls = h(
      "div",
      { class: "cnnw-ho-controls cnnw-stack" },
      methodChoice(this.link),
      layerSlider(this.link, this.#thumbs.element),
      h("div", { class: "cnnw-ho-foot cnnw-around" }, display, methodSettings(this.link), this.#save.element),
      this.#notes.element,
    );
    this.#stage.element.append(followedField(this.link, this.el));
    figure.append(this.#picking.element, this.#stage.element, whole.element, this.#bar.element, this.#empty);
    const head = h("div", { class: "cnnw-ho-head" }, heading, whole.button);
    const body = h("div", { class: "cnnw-ho-body cnnw-stack" }, figure, controls);
    this.el.append(h("div", { class: "cnnw-ho-panel" }, head, body));
  }

  #listen(): void {
    const { link } = this;
    const frame = this.#frame;
    link.receive("picture", (data) => {
      this.#photo = photoOf(data);
      this.el.dataset["picture"] = String(data.id);
      this.#resized = true;
      frame.request();
    });
    link.receive("map", (data) => {
      const { message = "", layer } = data.content as MapContent;
      this.#heat = heatOf(data);
      this.#message = message;
      this.#arrival = data.id;
      // A late answer about a layer that the slider has left is no reason to go back.
      this.#ahead &&= typeof layer === "string" && layer !== link.get("layer");
      frame.request();
    });
    link.receive("colours", (data) => {
      this.#channels = data;
      frame.request();
    });
    link.receive("strip", (data) => {
      this.#newestStrip = stripOf(data);
      if (!this.#heat || this.#ahead) this.#lookAhead();
      frame.request();
    });
    link.watch(LOOKS, frame.request);
    link.listen("change:layer", () => this.#lookAhead());
  }

  #lookAhead(): void {
    const layer = this.link.get("layer");
    const answered = this.#heat ? this.#heat.layer === layer : this.#message !== "";
    this.#ahead = !answered && (this.#strip()?.maps.has(layer) ?? false);
    this.#frame.request();
  }

  /** The strip while its method is chosen, with the maps of the layers to choose from. */
  #strip(): Strip | null {
    const strip = this.#newestStrip;
    const fits = strip && (strip.method === "" || strip.method === this.link.get("method"));
    return fits && this.link.get("layers").length > 0 ? strip : null;
  }

  #current(): Current {
    const strip = this.#ahead ? this.#strip() : null;
    const guess = strip?.maps.get(this.link.get("layer")) ?? null;
    const heat = guess ?? this.#heat;
    const colours = heat && heat === this.#heat && this.link.get("rgb") ? coloursOf(this.#channels, heat.id) : null;
    return { heat, look: lookOf(this.link, heat, colours, guess && strip), early: guess !== null };
  }

  /** The colours of a photograph under the channels' own would be taken for theirs. */
  #opacityOf(look: OverlayLook): number {
    return this.#photo && !look.colours ? this.link.get("opacity") : 1;
  }

  #scaleOf({ scale: { limit, clip }, sign, name, unit, view, colours }: OverlayLook): OverlayScale {
    return { limit, sign, name, unit, digits: view?.digits, clipped: clip > 0, mixed: colours !== null };
  }

  #paint(): void {
    const { heat, look, early } = this.#current();
    setText(this.#caption, look.caption);
    if (look.merging) this.#caption.title += `\n${MERGED}`;
    this.#paintFigure(heat, look);
    this.#bar.update(this.#scaleOf(look));
    this.#notes.update(look.sentences);
    this.#paintControls(heat, look);
    this.el.classList.toggle("is-partial", heat?.partial ?? false);
    this.el.classList.toggle("is-early", early);
    if (this.#arrival === null) return;
    const id = this.#arrival;
    this.#arrival = null;
    this.el.dataset["painted"] = String(id);
    this.el.dispatchEvent(new CustomEvent("cnnw-painted", { bubbles: true, detail: { id } }));
  }

  #paintFigure(heat: Heat | null, look: OverlayLook): void {
    const [photo, message, stage, bar, empty] = [this.#photo, this.#message, this.#stage, this.#bar, this.#empty];
    const anything = photo !== null || heat !== null;
    stage.element.hidden = !anything;
    // Its room is kept while a map is on its way, so that nothing jumps.
    bar.element.hidden = !heat && (!photo || message !== "");
    bar.element.style.visibility = heat ? "visible" : "hidden";
    tell(empty, anything ? (heat ? "" : message) : message || "No image yet");
    const { view, colours, name, scale } = look;
    stage.paint({ photo, heat, view, limit: scale.limit, colours, name, smooth: this.link.get("smooth") });
    if (this.#resized) this.#picking.paint();
    this.#resized = false;
    stage.element.style.setProperty("--opacity", String(this.#opacityOf(look)));
    const subject = photo ? "Heat map over the photograph" : "Heat map";
    const label = heat ? [subject, look.caption].filter(Boolean).join(": ") : "Photograph";
    stage.map.setAttribute("aria-label", label);
  }

  #paintControls(heat: Heat | null, { sign, name, colours }: OverlayLook): void {
    const { link } = this;
    const label = heat?.magnitude ? "Magnitude" : "Positive";
    const off = heat?.unsigned ? { disabled: true, title: "This map has no sign" } : {};
    this.#sign.update(signChoices({ label, title: "Evidence for the class" }, off), sign);
    this.#opacity.disable(colours !== null);
    this.#sign.element.hidden = this.#colourMenu.element.hidden = colours !== null;
    this.#tones.element.hidden = heat?.channels !== 3 || heat.partial;
    this.#tones.update(TONES, link.get("rgb") ? "rgb" : "merged");
    this.#smooth.input.checked = link.get("smooth");
    this.#save.allow(this.#photo !== null || heat !== null);
    this.#colourMenu.update(sign);
    const [clip, smooth, shared] = [link.get("clip"), link.get("smooth"), link.get("strip_scale") === "shared"];
    this.#thumbs.update(this.#strip(), link.get("layer"), { sign, name, clip, shared, smooth });
  }

  #sheet(): Png {
    this.#frame.cancel();
    this.#paint();
    const { heat, look, early } = this.#current();
    const name = this.#strip()?.method ?? "";
    const method = early ? (this.link.get("methods").find(([own]) => own === name)?.[1] ?? name) : (heat?.by ?? "");
    // Of a method without a layer the caption begins with its name.
    const title = titleOf(this.link.model, look.caption.startsWith(method) ? "" : method, look.caption);
    const warnings = look.sentences.filter(({ level }) => level !== "ok");
    const lines = [
      ...[this.link.get("explains"), heat?.made ?? ""].filter(Boolean),
      ...warnings.map(({ level, text }) => (level === "warn" ? `⚠ ${text}` : text)),
    ];
    const [scale, opacity, smooth] = [this.#scaleOf(look), this.#opacityOf(look), this.link.get("smooth")];
    const canvas = overlaySheet(this.#stage, scale, opacity, smooth, title, lines);
    return { canvas, name: fileName(...title) };
  }
}

export default entry<OverlayState>("heatmap-overlay", OverlayView);
