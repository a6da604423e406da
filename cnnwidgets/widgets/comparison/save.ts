import { barLabels } from "../_maps/scale";
import { MARGIN, Sheet, SOFT_INK } from "../_maps/sheet";
import { type CellLook, oneReason, rangeOf, type ShownCell } from "./grid";
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

export class GridSheet extends Sheet {
  readonly #height: number;

  constructor(private readonly picture: GridPicture) {
    const { grid, mode, cells } = picture;
    const { size } = picture.look;
    super(Math.max(grid.columns.length, 1) * (SIDE + GAP) - GAP, 15, LINE);
    this.#height = Math.round(Math.min(Math.max((SIDE * size[0]) / size[1], 60), 2 * SIDE));
    this.heading(picture.title);
    this.#texts(grid.columns, SIDE);
    this.add(6);
    for (const [i, row] of grid.rows.entries()) this.#row(row, i);
    if (mode === "all") this.#bar(cells.flat(), MARGIN, this.width);
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

  /** Texts side by side, a column each, on as many lines as the longest takes. */
  #texts(texts: readonly string[], width: number, bold = false): void {
    const columns = texts.map((text) => this.fit(text, width, bold));
    const most = Math.max(...columns.map(({ length }) => length), 0);
    this.add(most * LINE, (top) => {
      for (const [j, lines] of columns.entries()) this.#lines(lines, left(j), top, bold);
    });
  }

  #lines(lines: readonly string[], x: number, top: number, bold = false): void {
    for (const [k, line] of lines.entries()) {
      this.write(line, x, top + LINE * k, bold ? { bold } : { colour: SOFT_INK });
    }
  }

  #row({ label, note, single }: GridRow, i: number): void {
    const { mode, cells } = this.picture;
    const row = cells[i]!;
    this.#texts([[label, note].filter(Boolean).join(" · ")], this.width, true);
    const reason = oneReason(row);
    if (reason) {
      this.text(reason);
      this.add(14);
      return;
    }
    const reasons = row.map(({ result, map }) => (map ? [] : this.fit(result?.reason || "not computed", SIDE - 16)));
    const height = Math.max(this.#height, ...reasons.map(({ length }) => (length + 0.5) * LINE));
    this.add(height + 4, (top) => {
      for (const [j, { map }] of row.entries()) {
        if (map) this.context.drawImage(this.picture.canvases[i]![j]!, left(j), top, SIDE, this.#height);
        else this.#missing(reasons[j]!, left(j), top, height);
      }
    });
    this.#texts(
      row.map(({ result, map }) => (map ? `${rangeOf(map)}${result?.notes.length ? "  ⚠" : ""}` : "")),
      SIDE,
    );
    if (mode === "method") this.#bar(row, MARGIN, single ? SIDE : this.width);
    if (mode === "own") this.#ownBars(row);
    this.add(14);
  }

  #missing(lines: readonly string[], x: number, top: number, height: number): void {
    this.context.fillStyle = "#f0f2f4";
    this.context.fillRect(x, top, SIDE, height);
    this.#lines(lines, x + 8, top + 4);
  }

  #ownBars(row: readonly ShownCell[]): void {
    this.add(34, (top) => {
      for (const [j, { scale }] of row.entries()) if (scale) this.#ramp(scale, left(j), top, SIDE);
    });
    this.text(unitsOf(row.map(({ map }) => map)));
  }

  /** The bar of the scale that `cells` share, if there is one, and under it the units of their maps. */
  #bar(cells: readonly ShownCell[], x: number, width: number): void {
    const scale = cells.find((cell) => cell.scale)?.scale;
    if (!scale || scale.limit === 0) return;
    this.add(34, (top) => this.#ramp(scale, x, top, width));
    this.text(unitsOf(cells.map(({ map }) => map)));
  }

  #ramp({ limit, clipped }: SharedScale, x: number, top: number, width: number): void {
    if (limit === 0) return;
    const [low, , high] = barLabels(limit, this.picture.look.sign, clipped);
    this.ramp(this.picture.look.name, [low, "", high], x, top, width, 9);
  }
}

function left(column: number): number {
  return MARGIN + column * (SIDE + GAP);
}
