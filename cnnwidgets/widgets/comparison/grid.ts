/** Headings, cells, and a colour bar for each scale that is shared. */
import { gradient } from "../_shared/colormaps";
import { h } from "../_shared/dom";
import { barLabels } from "../heatmap_overlay/scale";
import { type Cell, cellView, type Look } from "./cell";
import { allSame, type Shared, type Shown } from "./scales";
import type { Grid, Mode } from "./state";

const SAME = "The same map in every column.";

function bar() {
  const strip = h("div", { class: "cnnw-cmp-strip" });
  const [low, middle, high] = [h("span"), h("span", { dir: "auto" }), h("span")];
  const element = h(
    "div",
    { class: "cnnw-cmp-bar", role: "img" },
    strip,
    h("div", { class: "cnnw-cmp-ends" }, low, middle, high),
  );
  return {
    element,
    update(scale: Shared | null, unit: string, { sign, name }: Pick<Look, "sign" | "name">) {
      element.hidden = !scale || scale.limit === 0;
      if (!scale) return;
      const labels = barLabels(scale.limit, sign, scale.clipped);
      strip.style.background = gradient(name);
      [low.textContent, high.textContent] = [labels[0], labels[2]];
      middle.textContent = unit;
      element.setAttribute("aria-label", `Colours from ${labels[0]} to ${labels[2]} ${unit}`);
    },
  };
}

/** The units of the maps, each once. */
export function unitsOf(maps: readonly (Shown | null)[]): string {
  return [...new Set(maps.map((map) => map?.unit ?? "").filter(Boolean))].join("; ");
}

export function gridView() {
  const table = h("div", { class: "cnnw-cmp-grid" });
  const whole = bar();
  whole.element.classList.add("is-whole");
  const element = h("div", { class: "cnnw-cmp-scroll" }, table, whole.element);
  let made: Grid | null = null;
  let rows: { cells: ReturnType<typeof cellView>[]; bar: ReturnType<typeof bar>; note: HTMLElement }[] = [];

  function build(grid: Grid): void {
    made = grid;
    rows = grid.rows.map((row, i) => ({
      cells: (row.single ? [""] : grid.columns).map((column, j) =>
        cellView([row.label, column].filter(Boolean).join(", "), `${i},${j}`),
      ),
      bar: bar(),
      note: h("span", { class: "cnnw-cmp-note", dir: "auto" }),
    }));
    table.style.setProperty("--columns", String(Math.max(grid.columns.length, 1)));
    table.replaceChildren(
      ...grid.columns.map((name) => h("div", { class: "cnnw-cmp-column", title: name, dir: "auto" }, name)),
      ...rows.flatMap(({ cells, bar: own, note }, i) => [
        h("div", { class: "cnnw-cmp-row" }, h("b", { dir: "auto" }, grid.rows[i]!.label), " ", note),
        ...cells.map((cell) => cell.element),
        own.element,
      ]),
    );
  }

  return {
    element,
    canvases: () => rows.map(({ cells }) => cells.map(({ canvas }) => canvas)),
    update(
      grid: Grid,
      cells: readonly (readonly (Cell | null)[])[],
      shown: readonly (readonly (Shown | null)[])[],
      scales: readonly (readonly (Shared | null)[])[],
      look: Look,
      mode: Mode,
    ) {
      if (grid !== made) build(grid);
      rows.forEach((row, i) => {
        row.cells.forEach((view, j) => view.update(cells[i]![j]!, shown[i]![j]!, scales[i]![j]!, look));
        row.bar.update(
          mode === "method" ? (scales[i]!.find((scale) => scale) ?? null) : null,
          unitsOf(shown[i]!),
          look,
        );
        row.note.textContent = [grid.rows[i]!.note, allSame(shown[i]!) && SAME].filter(Boolean).join(" ");
      });
      whole.update(mode === "all" ? (scales.flat().find((scale) => scale) ?? null) : null, unitsOf(shown.flat()), look);
    },
  };
}
