/** One filter in the grid, and what is said of it. */
import { h, putImage } from "../_shared/dom";
import { number } from "../_shared/format";
import { type Kernels, type Tiling, weightAt, weightPlace } from "./kernels";

export interface FilterCell {
  element: HTMLElement;
  canvas: HTMLCanvasElement;
}

/** The filter at `position`, painted; its norm is a bar, of which `longest` is the whole. */
export function filterCell(
  kernels: Kernels,
  position: number,
  rank: number,
  image: ImageData,
  longest: number,
): FilterCell {
  const filter = kernels.filters[position]!;
  const canvas = h("canvas");
  putImage(canvas, image);
  const marks = marksOf(kernels, filter);
  const norm = kernels.norms[position]!;
  const bar = h("i", { style: `width:${((norm / longest) * 100).toFixed(1)}%` });
  const track = h("span", { class: "kg-track" }, bar);
  const caption = h("span", { class: "kg-caption cnnw-small cnnw-soft" }, String(filter), track);
  const badge = marks.length > 0 && h("span", { class: "kg-mark" }, kernels.dead.has(filter) ? "dead" : "≈");
  const about = [`filter ${filter}, norm ${number(norm)}`, ...marks].join(", ");
  const role = { role: "option", tabindex: -1, "aria-posinset": rank + 1, "aria-setsize": kernels.count };
  const data = { "data-channel": filter, "data-position": position };
  const properties = { class: "kg-cell", title: about, "aria-label": about, ...role, ...data };
  return { element: h("div", properties, canvas, badge, caption), canvas };
}

/** What is odd about a filter. */
export function marksOf(kernels: Pick<Kernels, "dead" | "alike">, filter: number): string[] {
  const marks = kernels.dead.has(filter) ? ["dead: its output never changes"] : [];
  const others = kernels.alike[String(filter)] ?? [];
  if (others.length > 0) {
    const each = others.map(([other, cosine]) => `${other} (cosine ${number(cosine)})`);
    marks.push(`nearly a multiple of ${each.join(", ")}`);
  }
  return marks;
}

/** The weight, or the three, at a pixel of a filter; empty where there is none. */
export function reading(kernels: Kernels, tiles: Tiling, position: number, x: number, y: number): string {
  const at = weightPlace(kernels, tiles, x, y);
  if (!at) return "";
  const inputs = tiles.mixed ? [0, 1, 2] : [at.input];
  const weights = inputs.map((input) => weightAt(kernels, position, { ...at, input }));
  const where = [`filter ${kernels.filters[position]}`];
  if (!tiles.mixed) where.push(`input ${at.input}`);
  if (kernels.depth > 1) where.push(`slice ${at.slice}`);
  if (kernels.signal) where.push(`place ${at.column}`);
  else if (kernels.height * kernels.width > 1) where.push(`row ${at.row}, column ${at.column}`);
  const names = tiles.mixed ? ["red ", "green ", "blue "] : [""];
  return `${where.join(", ")}: ${weights.map((weight, i) => `${names[i]}${number(weight)}`).join(", ")}`;
}

/** What stands under the colour bar, from left to right; `common`: the layer's largest weight, if that is its scale. */
export function barTexts(common: number | null, mixed: boolean): string[] {
  if (mixed) return ["red, green and blue are the three input channels; 0 is mid grey"];
  if (common === null) return ["− its largest weight", "0", "+ its largest weight"];
  return [number(-common), "0", `+${number(common)}`];
}
