/** "Check this map": the button, the progress, the maps and what they mean. */

import { table } from "../_maps/colormaps";
import { colourLevels, hatch, palette } from "../_maps/paint";
import { marks, type Points, plot, polyline } from "../_shared/chart";
import { button, h, putImage, tell } from "../_shared/dom";
import { fileName, type Png, SaveButton, titleOf } from "../_shared/png";
import { Progress, type ProgressState } from "../_shared/progress";
import { type ArrayData, type Data, entry, type Link, RootView } from "../_shared/view";
import { checkSheet } from "./save";
import "./widget.css";

export interface MapCheckState extends ProgressState {
  state: "empty" | "idle" | "running" | "done" | "stopped";
  hint: string;
  sentence: string;
  badge: string;
  level: "ok" | "info" | "warn";
  notes: string[];
  caption: string;
}

export interface MapsContent {
  layers?: string[];
  similarity?: (number | null)[];
  signed?: boolean;
  total?: number;
  details?: string[][];
}

/** Two digits after the point and a true minus sign; "–" where there is no number. */
export function similarity(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const text = Math.abs(value).toFixed(2);
  return value < 0 && text !== "0.00" ? `−${text}` : text;
}

export interface CheckStage {
  /** 0 for the original. */
  number: number;
  layer: string;
  similarity: string;
  title: string;
}

/** The original and the stages after it. */
export function stagesOf({ layers = [], similarity: values = [] }: MapsContent): CheckStage[] {
  const original = { number: 0, layer: "original", similarity: "", title: "The map of the network as it is" };
  const rest = layers.map((layer, index) => {
    const value = similarity(values[index]);
    const comparison = value === "–" ? "cannot be compared with the original" : `similarity ${value} to the original`;
    return {
      number: index + 1,
      layer,
      similarity: value,
      title: `Stage ${index + 1}: random weights from the output down to ${layer}; ${comparison}`,
    };
  });
  return [original, ...rest];
}

/** What is said of a strip that was stopped before its end; empty when it has all its stages. */
export function missing({ layers = [], total = layers.length }: MapsContent): string {
  return layers.length < total ? `Partial: stopped at ${layers.length} of ${total} stages.` : "";
}

/** One figure a map of `maps` (n, h, w), levels 0 to 254, 255 where it is not finite. */
export function strip(maps: ArrayData, content: MapsContent): HTMLElement {
  const [count = 0, height = 1, width = 1] = maps.shape;
  const colours = palette(table(content.signed ? "blue-red" : "inferno"));
  const stages = stagesOf(content).slice(0, count);
  const cells = stages.map((stage, index) => {
    const levels = maps.data.subarray(index * height * width, (index + 1) * height * width) as Uint8Array;
    const pixels = colourLevels(levels, colours);
    hatch(levels, width, pixels);
    return cell(stage, new ImageData(pixels, width, height));
  });
  const how = content.signed ? "Red speaks for the class, blue against it" : "Bright is large";
  const text = `${how}; each map is on its own scale. Under a map: its similarity to the original.`;
  const name = "Maps with more and more random weights";
  return h(
    "div",
    { class: "mc-strip cnnw-stack" },
    h("div", { class: "mc-maps", role: "list", "aria-label": name }, ...cells),
    h("p", { class: "mc-partial" }, missing(content)),
    h("p", { class: "cnnw-soft" }, text),
  );
}

function cell({ title, layer, number, similarity: value }: CheckStage, image: ImageData): HTMLElement {
  const canvas = h("canvas", { role: "img", "aria-label": title });
  putImage(canvas, image);
  const name = h("span", { class: "mc-layer cnnw-cut" }, h("bdi", {}, layer));
  const stage = h("span", { class: "cnnw-soft" }, String(number));
  return h(
    "div",
    { class: "mc-cell cnnw-stack cnnw-small", role: "listitem", title, "data-stage": number },
    canvas,
    number > 0 ? h("span", { class: "cnnw-line" }, stage, name) : name,
    h("b", { class: "cnnw-figures" }, value),
  );
}

const HEAD = [
  ["stage", "How many layers, counted from the output, have random weights"],
  ["random down to", "The last layer whose weights are random"],
  ["Spearman of |values|", "Whether the same places have large values, whatever their sign: 1 the same order, 0 none"],
  ["Spearman", "Whether the places come in the same order by their values: 1 the same, 0 no relation, −1 the reverse"],
  ["SSIM", "How alike the two pictures look, by their local structure: 1 the same, 0 nothing in common"],
  ["score", "The score of the class with these weights"],
] as const;

/** A table with a row of texts a stage; null if there is none. */
export function numbers(content: MapsContent, open: boolean): HTMLDetailsElement | null {
  const rows = content.details ?? [];
  if (rows.length === 0) return null;
  const body = rows.map((row) => h("tr", {}, ...row.map((text) => h("td", {}, text))));
  return h(
    "details",
    { class: "mc-numbers", open },
    h("summary", { title: "The numbers of each stage, in a table" }, "All numbers"),
    h(
      "div",
      { class: "mc-table", tabindex: 0, role: "region", "aria-label": "All numbers" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ...HEAD.map(([text, title]) => h("th", { scope: "col", title }, text)))),
        h("tbody", {}, ...body),
      ),
    ),
  );
}

/** What a "charts" push holds of each. */
export interface ChartContent {
  heading: string;
  meaning: string;
  partial: boolean;
  ticks: number[];
  end: number;
  stages: boolean;
  points: [x: number[], y: number[]];
  x: number[];
  grey: number[][];
}

/** The numbers under a chart: whole stages, four steps at most, or shares of the image. */
export function stepsOf({ end, stages }: Pick<ChartContent, "end" | "stages">): number[] {
  const step = stages ? Math.max(1, Math.ceil(end / 4)) : end / 2;
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, i) => i * step);
}

export function curveChart(content: ChartContent): HTMLElement {
  const { heading, partial, ticks, end, stages } = content;
  const curves = (points: Points) => {
    const [line, grey] = [points(...content.points), content.grey.map((values) => points(content.x, values))];
    const others = grey.map((other) => polyline("mc-grey", other));
    return [...others, polyline("mc-line", line), stages && marks("mc-dots", line)];
  };
  const under = stepsOf(content).map((step) => [step, stages ? String(step) : `${100 * step} %`] as const);
  const caption = h("figcaption", { class: "cnnw-small", title: content.meaning }, heading);
  const figure = { class: `mc-chart ${partial ? "is-partial" : ""}` };
  return h("figure", figure, caption, plot("mc", heading, { ticks, ends: [0, end] }, curves, under));
}

const LEGEND =
  "Deletion hides what the map marks first, insertion reveals it first; across: how much of the image. Grey: the same map put at other places.";
const WHAT = "Does the map react to random weights, and the score to hiding what the map marks?";

const PRESS = "Make the map again with random weights, and hide what it marks: two questions to this map";

const ORDERS =
  "The map is made again with random weights; and its places are hidden in its own order, and in orders drawn at random";

class MapCheckView extends RootView<MapCheckState> {
  readonly #start = button("Check this map", () => this.link.command("check"), { title: PRESS });
  readonly #badge = h("span", { class: "mc-badge cnnw-soft", title: ORDERS });
  readonly #hint = h("span", { class: "mc-what cnnw-soft" });
  readonly #save = new SaveButton(() => this.#sheet(), "Save the check as a PNG: its verdict, maps and curves");
  readonly #progress = new Progress(this.link, "Progress of the check");
  /** One room for both: what was pressed stays where it is, and nothing else comes there, however wide the text is. */
  readonly #slot = h("div", { class: "mc-slot" }, this.#hint, this.#progress.element);
  readonly #top = h("div", { class: "cnnw-row mc-top" }, this.#start, this.#badge, this.#slot, this.#save.element);
  readonly #sentence = h("p", { class: "mc-sentence cnnw-wrap", role: "status", title: ORDERS });
  readonly #notes = h("ul", { class: "mc-notes cnnw-soft cnnw-wrap", title: ORDERS });
  readonly #maps = h("div");
  readonly #table = h("div");
  readonly #charts = h("div", { class: "mc-charts" });
  #signed = false;

  constructor(link: Link<MapCheckState>, el: HTMLElement) {
    super(link, el);
    const parts = [this.#sentence, this.#notes, this.#maps, this.#table, this.#charts];
    el.append(h("div", { class: "cnnw-stack" }, this.#top, ...parts));
    link.watch(["state", "hint", "badge", "level", "sentence", "notes"], () => this.#paint());
    link.receive("maps", (data) => this.#paintMaps(data));
    link.receive("charts", ({ content }) => {
      const charts = (content["charts"] ?? []) as ChartContent[];
      const legend = charts.some(({ stages }) => !stages) && h("p", { class: "cnnw-soft" }, LEGEND);
      this.#charts.replaceChildren(...charts.map(curveChart), ...(legend ? [legend] : []));
      this.#paintTop();
    });
  }

  #paint(): void {
    const { link } = this;
    const [sentence, notes] = [this.#sentence, this.#notes];
    const state = link.get("state");
    this.#paintTop();
    this.#progress.show(state === "running");
    tell(sentence, link.get("sentence"));
    const warns = link.get("level") === "warn";
    sentence.classList.toggle("cnnw-warning", warns);
    notes.replaceChildren(...link.get("notes").map((note) => h("li", {}, note)));
    notes.hidden = link.get("notes").length === 0;
    this.el.dataset["state"] = state;
  }

  #paintTop(): void {
    const [start, badge, hint] = [this.#start, this.#badge, this.#hint];
    const state = this.link.get("state");
    const running = state === "running";
    start.hidden = state === "done";
    start.disabled = running || state === "empty";
    const label = state === "stopped" ? "Check again" : "Check this map";
    if (start.textContent !== label) start.textContent = start.ariaLabel = label;
    tell(badge, this.link.get("badge"));
    badge.dataset["level"] = this.link.get("level");
    if (!running) hint.textContent = [state === "idle" && WHAT, this.link.get("hint")].filter(Boolean).join(" ");
    hint.style.visibility = running ? "hidden" : "visible";
    this.#slot.hidden = !running && hint.textContent === "";
    // Not while the maps still come, and not for a sentence alone.
    const results = this.#maps.children.length + this.#charts.children.length;
    this.#save.element.hidden = results === 0 || !["done", "stopped"].includes(state);
    this.#top.hidden = start.hidden && badge.hidden && this.#slot.hidden && this.#save.element.hidden;
  }

  #paintMaps({ id, arrays: { maps }, content }: Data): void {
    const open = this.#table.querySelector("details")?.open ?? false;
    const details = maps && numbers(content as MapsContent, open);
    this.#maps.replaceChildren(...(maps ? [strip(maps, content as MapsContent)] : []));
    this.#table.replaceChildren(...(details ? [details] : []));
    this.#signed = content["signed"] === true;
    this.#paintTop();
    this.el.dataset["painted"] = String(id);
  }

  #sheet(): Png {
    const title = titleOf(this.link.model, "Check of a map", this.link.get("caption"));
    return { canvas: checkSheet(title, this.el, this.#signed), name: fileName(...title) };
  }
}

export default entry<MapCheckState>("map-check", MapCheckView);
