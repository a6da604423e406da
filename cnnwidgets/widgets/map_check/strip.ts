/** The row of small maps. */
import { table } from "../_maps/colormaps";
import { colourLevels, hatch, palette } from "../_maps/paint";
import { h, putImage } from "../_shared/dom";
import type { ProgressState } from "../_shared/progress";
import type { ArrayData } from "../_shared/view";

export interface MapCheckState extends ProgressState {
  state: "empty" | "idle" | "running" | "done" | "stopped";
  hint: string;
  sentence: string;
  badge: string;
  level: "ok" | "info" | "warn";
  notes: string[];
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
    { class: "mc-strip" },
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
    { class: "mc-cell cnnw-small", role: "listitem", title, "data-stage": number },
    canvas,
    number > 0 ? h("span", { class: "cnnw-line" }, stage, name) : name,
    h("b", { class: "cnnw-figures" }, value),
  );
}

const HEAD = ["stage", "random down to", "Spearman of |values|", "Spearman", "SSIM", "score"];

/** A table with a row of texts a stage; null if there is none. */
export function numbers(content: MapsContent, open: boolean): HTMLDetailsElement | null {
  const rows = content.details ?? [];
  if (rows.length === 0) return null;
  const body = rows.map((row) => h("tr", {}, ...row.map((text) => h("td", {}, text))));
  return h(
    "details",
    { class: "mc-numbers", open },
    h("summary", {}, "All numbers"),
    h(
      "div",
      { class: "mc-table", tabindex: 0, role: "region", "aria-label": "All numbers" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ...HEAD.map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", {}, ...body),
      ),
    ),
  );
}
