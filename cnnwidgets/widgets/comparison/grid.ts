/** Headings, cells, and a colour bar for each scale that is shared. */
import { ColourBar } from "../_maps/colour_bar";
import { h } from "../_shared/dom";
import { type CellLook, CellView, type ShownCell } from "./cell";
import { allSame, type Cells, type GridContent, type Mode, unitsOf } from "./scales";

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
      for (const [j, view] of row.cells.entries()) view.update(shownCells[j]!, look);
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
