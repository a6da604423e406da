/** The grid as a PNG, made in the browser: headings, maps, their ranges, the scales and what they allow. */
import type { ColormapName } from "../_shared/colormaps";
import type { Size } from "../heatmap_overlay/resample";
import { colourStops, wrapped } from "../heatmap_overlay/save";
import { barLabels } from "../heatmap_overlay/scale";
import type { Sign } from "../heatmap_overlay/state";
import { type Cell, rangeOf } from "./cell";
import { unitsOf } from "./grid";
import type { Shared, Shown, Words } from "./scales";
import type { Grid, Mode } from "./state";

export interface Sheet {
  /** Stands above: what is compared, photograph, network. */
  title: string;
  grid: Grid;
  cells: readonly (readonly (Cell | null)[])[];
  shown: readonly (readonly (Shown | null)[])[];
  scales: readonly (readonly (Shared | null)[])[];
  canvases: readonly (readonly HTMLCanvasElement[])[];
  size: Size;
  mode: Mode;
  sign: Sign;
  name: ColormapName;
  words: readonly Words[];
}

const MARGIN = 24;
const SIDE = 240;
const GAP = 10;
const LINE = 20;
const FONT = 'system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif';

export function draw(sheet: Sheet): HTMLCanvasElement {
  const { grid, size, mode } = sheet;
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d")!;
  const columns = Math.max(grid.columns.length, 1);
  const height = Math.round(Math.min(Math.max((SIDE * size[0]) / size[1], 60), 2 * SIDE));
  const inner = columns * (SIDE + GAP) - GAP;
  const font = (bold = false) => (context.font = `${bold ? "600 " : ""}15px ${FONT}`);
  font();
  const measure = (text: string) => context.measureText(text).width;
  const warnings = sheet.cells.flatMap((row, i) =>
    row.flatMap((cell, j) =>
      (cell?.notes ?? []).map(
        (note) => `⚠ ${grid.rows[i]!.label}${grid.rows[i]!.single ? "" : `, ${grid.columns[j]}`}: ${note}`,
      ),
    ),
  );
  const footer = [...sheet.words.map(({ text, warn }) => (warn ? `⚠ ${text}` : text)), ...warnings].flatMap((text) =>
    wrapped(text, inner, measure),
  );
  const rowHeight = LINE + height + LINE + (mode === "all" ? 8 : 34) + 14;
  const barHeight = mode === "all" ? 44 : 0;
  canvas.width = inner + 2 * MARGIN;
  font(true);
  const heading = wrapped(sheet.title, inner, measure);
  font();
  const header = (heading.length + 1) * LINE;
  canvas.height = 2 * MARGIN + header + grid.rows.length * rowHeight + barHeight + footer.length * LINE;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);

  function text(value: string, x: number, y: number, width: number, bold = false, colour = "#1f2328"): void {
    context.fillStyle = colour;
    font(bold);
    const lines = wrapped(value, width, measure);
    context.fillText(lines.length > 1 ? `${lines[0]}…` : (lines[0] ?? ""), x, y, width);
  }

  function bar({ limit, clipped }: Shared, unit: string, x: number, y: number, width: number): void {
    if (limit === 0) return;
    const ramp = context.createLinearGradient(x, 0, x + width, 0);
    colourStops(ramp, sheet.name);
    context.fillStyle = ramp;
    context.fillRect(x, y, width, 9);
    const [low, , high] = barLabels(limit, sheet.sign, clipped);
    text(low, x, y + 25, width / 3);
    context.textAlign = "right";
    text(high, x + width, y + 25, width / 3);
    context.textAlign = "center";
    if (width > SIDE || columns === 1) text(unit, x + width / 2, y + 25, width / 2, false, "#59636e");
    context.textAlign = "left";
  }

  let y = MARGIN + LINE * 0.75;
  for (const line of heading) {
    text(line, MARGIN, y, inner + 2, true);
    y += LINE;
  }
  grid.columns.forEach((name, j) => text(name, MARGIN + j * (SIDE + GAP), y, SIDE, false, "#59636e"));
  grid.rows.forEach((row, i) => {
    let top = MARGIN + header + i * rowHeight;
    text([row.label, row.note].filter(Boolean).join(" · "), MARGIN, top + LINE * 0.75, inner, true);
    top += LINE;
    sheet.cells[i]!.forEach((cell, j) => {
      const x = MARGIN + j * (SIDE + GAP);
      const shown = sheet.shown[i]![j];
      if (!shown) {
        context.fillStyle = "#f0f2f4";
        context.fillRect(x, top, SIDE, height);
        context.fillStyle = "#59636e";
        font();
        const lines = wrapped(cell?.reason || "not computed", SIDE - 16, measure).slice(
          0,
          Math.floor(height / LINE) - 1,
        );
        lines.forEach((line, k) => context.fillText(line, x + 8, top + LINE * (k + 1)));
        return;
      }
      context.drawImage(sheet.canvases[i]![j]!, x, top, SIDE, height);
      text(`${rangeOf(shown)}${cell?.notes.length ? "  ⚠" : ""}`, x, top + height + LINE * 0.8, SIDE, false, "#59636e");
      if (mode === "own") bar(sheet.scales[i]![j]!, "", x, top + height + LINE + 4, SIDE);
    });
    const scale = sheet.scales[i]!.find((one) => one);
    const width = row.single ? SIDE : inner;
    if (mode === "method" && scale) bar(scale, unitsOf(sheet.shown[i]!), MARGIN, top + height + LINE + 4, width);
  });
  y = MARGIN + header + grid.rows.length * rowHeight;
  const all = sheet.scales.flat().find((one) => one);
  if (mode === "all" && all) bar(all, unitsOf(sheet.shown.flat()), MARGIN, y, inner);
  y += barHeight + LINE * 0.75;
  footer.forEach((line, k) => text(line, MARGIN, y + k * LINE, inner + 2));
  return canvas;
}
