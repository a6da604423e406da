/** Headings, cells, and a colour bar for each scale that is shared. */

import { type ColormapName, gradient } from "../_maps/colormaps";
import { ColourBar } from "../_maps/controls";
import { type Heat, viewOf } from "../_maps/heat";
import { heatImage } from "../_maps/paint";
import { paintSize, type Size } from "../_maps/resample";
import { barLabels, type Sign } from "../_maps/scale";
import { changes, contextOf, h, putImage, setText } from "../_shared/dom";
import { number } from "../_shared/format";
import { allSame, type Cells, type GridContent, type Mode, type ScaledMap, type SharedScale, unitsOf } from "./scales";

export interface CellResult {
  heat: Heat | null;
  reason: string;
  notes: string[];
  unit: string;
}

/** What a cell shows; all null: nothing has come yet. */
export interface ShownCell {
  result: CellResult | null;
  map: ScaledMap | null;
  scale: SharedScale | null;
}

/** Only input gradients are clipped. */
export function scaledMapOf(result: CellResult | null, sign: Sign, clip: number): ScaledMap | null {
  if (!result?.heat) return null;
  return { view: viewOf(result.heat, sign), clip: result.heat.channels > 0 ? clip : 0, unit: result.unit };
}

/** Its own numbers, whatever the scale: "−0.12 to 0.389". */
export function rangeOf({ view: { stats } }: ScaledMap): string {
  if (Number.isNaN(stats.min)) return "no finite value";
  return stats.min === stats.max ? `${number(stats.min)} everywhere` : `${number(stats.min)} to ${number(stats.max)}`;
}

export interface CellLook {
  sign: Sign;
  name: ColormapName;
  opacity: number;
  photo: HTMLCanvasElement | null;
  size: Size;
  busy: boolean;
  /** Whether the cell has a colour bar of its own. */
  bar: boolean;
}

/** Why a row has no map at all, where all its cells say the same; else empty. */
export function oneReason(row: readonly ShownCell[]): string {
  const reasons = new Set(row.map(({ result }) => result?.reason ?? ""));
  return reasons.size === 1 ? [...reasons][0]! : "";
}

export class CellView {
  readonly canvas = h("canvas", { role: "img" });
  readonly element: HTMLElement;
  readonly #none = h("div", { class: "cnnw-cmp-none cnnw-small cnnw-soft cnnw-wrap" });
  readonly #bar = h("div", { class: "cnnw-cmp-own cnnw-ramp", "aria-hidden": "true" });
  readonly #range = h("span");
  readonly #mark = h("span", { class: "cnnw-cmp-mark", role: "img", hidden: true }, "⚠");
  readonly #under = h("figcaption", { class: "cnnw-ends cnnw-small cnnw-soft" }, this.#range, this.#mark);
  readonly #map = h("canvas");
  readonly #coloursChanged = changes();
  readonly #blendChanged = changes();

  /** `position` is row and column, "0,1". */
  constructor(
    private readonly label: string,
    position: string,
  ) {
    const parts = [this.canvas, this.#none, this.#bar, this.#under];
    this.element = h("figure", { class: "cnnw-cmp-cell", "data-cell": position }, ...parts);
  }

  update({ result, map, scale }: ShownCell, look: CellLook): void {
    const hasMap = result !== null && map !== null && scale !== null;
    this.canvas.hidden = this.#under.hidden = !hasMap;
    this.#none.hidden = hasMap;
    this.#bar.hidden = !hasMap || !look.bar;
    this.element.classList.toggle("is-failed", Boolean(result?.reason));
    this.element.classList.toggle("is-waiting", !result && look.busy);
    this.element.style.setProperty("--ratio", String(look.size[1] / look.size[0]));
    setText(this.#none, result ? result.reason : look.busy ? "" : "not computed");
    if (!hasMap) return;
    this.#compose(map, scale, result.heat, look);
    this.#describe(map, scale, result.notes, look);
  }

  #compose(map: ScaledMap, { limit }: SharedScale, heat: Heat | null, look: CellLook): void {
    const { photo, size, sign, name, opacity } = look;
    const recoloured = this.#coloursChanged(heat, map.view, limit, name, size[0], size[1], photo);
    if (heat && recoloured) {
      const target = paintSize(photo ? size : heat.size, heat.size, 160, 320);
      const colouring = { limit, sign, name, partial: false, fades: photo !== null };
      putImage(this.#map, heatImage(heat, map.view, target, true, colouring));
    }
    if (!this.#blendChanged(photo, opacity) && !recoloured) return;
    [this.canvas.height, this.canvas.width] = [this.#map.height, this.#map.width];
    const context = contextOf(this.canvas);
    if (photo) context.drawImage(photo, 0, 0, this.canvas.width, this.canvas.height);
    context.globalAlpha = photo ? opacity : 1;
    context.drawImage(this.#map, 0, 0);
  }

  #describe(map: ScaledMap, scale: SharedScale, notes: readonly string[], look: CellLook): void {
    const range = rangeOf(map);
    const [low, , high] = barLabels(scale.limit, look.sign, scale.clipped);
    this.#range.textContent = look.bar && scale.limit > 0 ? `${low} to ${high}` : range;
    this.#range.title = `All of its numbers: ${range}. Colours: ${low} to ${high}`;
    this.#bar.style.background = scale.limit > 0 ? gradient(look.name) : "none";
    this.canvas.setAttribute("aria-label", `${this.label}: ${range}`);
    this.#mark.hidden = notes.length === 0;
    this.#mark.title = notes.join("\n");
    this.#mark.setAttribute("aria-label", `Warning: ${notes.join(" ")}`);
  }
}

const SAME = "The same map in every column.";

/** The bar of a scale that some cells share, with the units of their maps; hidden where they share none. */
function updateBar(bar: ColourBar, cells: readonly ShownCell[], isShared: boolean, { sign, name }: CellLook): void {
  const scale = isShared ? cells.find((cell) => cell.scale)?.scale : null;
  bar.element.hidden = !scale || scale.limit === 0;
  if (!scale) return;
  const unit = unitsOf(cells.map(({ map }) => map));
  bar.update({ ...scale, sign, name }, unit);
  bar.middle.textContent = unit;
}

interface RowView {
  cells: CellView[];
  bar: ColourBar;
  note: HTMLElement;
}

export class GridView {
  readonly element: HTMLElement;
  readonly #table = h("div", { class: "cnnw-cmp-grid" });
  readonly #whole = new ColourBar("cnnw-cmp");
  #grid: GridContent | null = null;
  #rows: RowView[] = [];

  constructor() {
    this.#whole.element.classList.add("is-whole");
    this.element = h("div", { class: "cnnw-cmp-scroll" }, this.#table, this.#whole.element);
  }

  canvases(): Cells<HTMLCanvasElement> {
    return this.#rows.map(({ cells }) => cells.map(({ canvas }) => canvas));
  }

  update(grid: GridContent, cells: Cells<ShownCell>, look: CellLook, mode: Mode): void {
    if (grid !== this.#grid) this.#build(grid);
    for (const [i, row] of this.#rows.entries()) {
      const shownCells = cells[i]!;
      const isOneReason = oneReason(shownCells) !== "";
      for (const [j, view] of row.cells.entries()) {
        view.update(shownCells[j]!, look);
        view.element.classList.toggle("is-whole", isOneReason);
        view.element.hidden = isOneReason && j > 0;
      }
      updateBar(row.bar, shownCells, mode === "method", look);
      const same = allSame(shownCells.map(({ map }) => map));
      row.note.textContent = [grid.rows[i]!.note, same && SAME].filter(Boolean).join(" ");
    }
    updateBar(this.#whole, cells.flat(), mode === "all", look);
  }

  #build(grid: GridContent): void {
    this.#grid = grid;
    this.#rows = grid.rows.map(({ label, single }, i) => ({
      cells: (single ? [""] : grid.columns).map(
        (name, j) => new CellView([label, name].filter(Boolean).join(", "), `${i},${j}`),
      ),
      bar: new ColourBar("cnnw-cmp"),
      note: h("span", { class: "cnnw-cmp-note cnnw-small cnnw-soft", dir: "auto" }),
    }));
    this.#table.style.setProperty("--columns", String(Math.max(grid.columns.length, 1)));
    const column = { class: "cnnw-small cnnw-soft cnnw-cut", dir: "auto" };
    this.#table.replaceChildren(
      ...grid.columns.map((name) => h("div", { ...column, title: name }, name)),
      ...this.#rows.flatMap(({ cells, bar, note }, i) => [
        h("div", { class: "cnnw-cmp-row cnnw-wrap" }, h("b", { dir: "auto" }, grid.rows[i]!.label), " ", note),
        ...cells.map((cell) => cell.element),
        bar.element,
      ]),
    );
  }
}
