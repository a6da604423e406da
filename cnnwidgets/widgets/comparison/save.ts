import { barLabels } from "../_maps/scale";
import { MARGIN, Sheet, SOFT_INK } from "../_maps/sheet";
import { type CellLook, rangeOf, type ShownCell } from "./grid";
import {
  type Cells,
  type GridContent,
  type GridRow,
  type Mode,
  type Remark,
  type SharedScale,
  unitsOf,
} from "./scales";

export interface GridPicture {
  /** Stands above: what is compared, photograph, network. */
  title: string[];
  grid: GridContent;
  cells: Cells<ShownCell>;
  canvases: Cells<HTMLCanvasElement>;
  look: CellLook;
  mode: Mode;
  remarks: readonly Remark[];
}

const SIDE = 240;
const GAP = 10;
const LINE = 20;

export function gridSheet(picture: GridPicture): HTMLCanvasElement {
  return new GridSheet(picture).finish();
}

class GridSheet extends Sheet {
  readonly #height: number;

  constructor(private readonly picture: GridPicture) {
    const { grid, mode, cells } = picture;
    const { size } = picture.look;
    super(Math.max(grid.columns.length, 1) * (SIDE + GAP) - GAP, 15, LINE);
    this.#height = Math.round(Math.min(Math.max((SIDE * size[0]) / size[1], 60), 2 * SIDE));
    this.heading(picture.title);
    this.add(LINE, (top) => {
      for (const [j, name] of grid.columns.entries()) this.#caption(name, left(j), top);
    });
    for (const [i, row] of grid.rows.entries()) {
      this.add(LINE + this.#height + LINE + (mode === "all" ? 8 : 34) + 14, (top) => this.#row(row, i, top));
    }
    if (mode === "all") this.add(44, (top) => this.#bar(cells.flat(), MARGIN, top, this.width));
    for (const { text, warn } of picture.remarks) this.text(warn ? `⚠ ${text}` : text);
    for (const warning of this.#warnings()) this.text(warning);
  }

  #warnings(): string[] {
    const { grid, cells } = this.picture;
    return grid.rows.flatMap(({ label, single }, i) =>
      cells[i]!.flatMap(({ result }, j) => {
        const name = single ? label : `${label}, ${grid.columns[j]}`;
        return (result?.notes ?? []).map((note) => `⚠ ${name}: ${note}`);
      }),
    );
  }

  #caption(text: string, x: number, top: number): void {
    this.write(this.cut(text, SIDE), x, top, { colour: SOFT_INK }, SIDE);
  }

  #row({ label, note, single }: GridRow, i: number, top: number): void {
    const { mode, cells } = this.picture;
    const name = [label, note].filter(Boolean).join(" · ");
    this.write(this.cut(name, this.width, true), MARGIN, top, { bold: true }, this.width);
    const row = cells[i]!;
    for (const [j, cell] of row.entries()) this.#cell(cell, i, j, top + LINE);
    const barTop = top + LINE + this.#height + LINE + 4;
    if (mode === "method") this.#bar(row, MARGIN, barTop, single ? SIDE : this.width);
    if (mode !== "own") return;
    for (const [j, cell] of row.entries()) this.#bar([{ ...cell, map: null }], left(j), barTop, SIDE);
  }

  #cell({ result, map }: ShownCell, i: number, j: number, top: number): void {
    const { context } = this;
    const height = this.#height;
    if (map) {
      context.drawImage(this.picture.canvases[i]![j]!, left(j), top, SIDE, height);
      this.#caption(`${rangeOf(map)}${result?.notes.length ? "  ⚠" : ""}`, left(j), top + height);
      return;
    }
    context.fillStyle = "#f0f2f4";
    context.fillRect(left(j), top, SIDE, height);
    const lines = this.fit(result?.reason || "not computed", SIDE - 16).slice(0, Math.floor(height / LINE) - 1);
    for (const [k, line] of lines.entries())
      this.write(line, left(j) + 8, top + LINE * (k + 0.2), { colour: SOFT_INK });
  }

  /** The bar of the scale that `cells` share, if there is one, with the units of their maps where there is room. */
  #bar(cells: readonly ShownCell[], x: number, top: number, width: number): void {
    const scale: SharedScale | undefined = cells.find((cell) => cell.scale)?.scale ?? undefined;
    if (!scale || scale.limit === 0) return;
    const [low, , high] = barLabels(scale.limit, this.picture.look.sign, scale.clipped);
    this.ramp(this.picture.look.name, [low, "", high], x, top, width, 9);
    if (width <= SIDE && this.picture.grid.columns.length > 1) return;
    const unit = this.cut(unitsOf(cells.map(({ map }) => map)), width / 2);
    this.write(unit, x + width / 2, top + 9, { colour: SOFT_INK, align: "center" }, width / 2);
  }
}

function left(column: number): number {
  return MARGIN + column * (SIDE + GAP);
}
