/** One map in the grid: its picture, its number and a bar. Cells are recycled, so filling one sets all of it. */

import { table } from "../_shared/colormaps";
import { h } from "../_shared/dom";
import { number, percent } from "../_shared/format";
import { colourise, hatch, palette } from "../_shared/paint";
import { CAPTION, type Layout, place } from "./layout";
import { ends, levelsOf, span } from "./maps";
import { share } from "./order";
import type { View } from "./view";

export interface Cell {
  element: HTMLElement;
  canvas: HTMLCanvasElement;
  context: CanvasRenderingContext2D;
  name: Text;
  bar: HTMLElement;
}

export function makeCell(): Cell {
  const canvas = h("canvas");
  const name = document.createTextNode("");
  const bar = h("i");
  const element = h(
    "div",
    { role: "option", class: "fm-cell", tabindex: -1 },
    canvas,
    h("span", { class: "fm-caption" }, h("span", {}, name), h("span", { class: "fm-track" }, bar)),
  );
  // Kept in main memory: the cells are written by the CPU and never drawn into.
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser has no 2D canvas");
  return { element, canvas, context, name, bar };
}

export function fillCell(
  cell: Cell,
  view: View,
  grid: Layout,
  position: number,
  paint: (channel: number) => ImageData,
) {
  const { maps } = view;
  const channel = view.order[position] as number;
  const { element, canvas, context, bar } = cell;
  const { left, top } = place(grid, position);
  element.style.transform = `translate(${left}px, ${top}px)`;
  element.style.width = `${grid.width}px`;
  element.style.height = `${grid.height + CAPTION}px`;
  canvas.style.height = `${grid.height}px`;
  if (canvas.width !== maps.width) canvas.width = maps.width;
  if (canvas.height !== maps.height) canvas.height = maps.height;
  context.putImageData(paint(channel), 0, 0);
  const value = view.quantity[channel] ?? Number.NaN;
  const part = share(value, view.longest);
  bar.style.width = `${(Math.abs(part) * 100).toFixed(1)}%`;
  bar.classList.toggle("fm-negative", part < 0);
  cell.name.data = String(channel);
  element.dataset["channel"] = String(channel);
  element.setAttribute("aria-posinset", String(position + 1));
  element.setAttribute("aria-setsize", String(grid.count));
  element.setAttribute("aria-label", `channel ${channel}, ${view.quantityName} ${number(value)}`);
  element.title =
    `Channel ${channel}: ${number(maps.minimum[channel] ?? Number.NaN)} to ${number(maps.maximum[channel] ?? Number.NaN)}, ` +
    `mean ${number(maps.mean[channel] ?? Number.NaN)}, zeros ${percent(maps.zeros[channel] ?? Number.NaN)}` +
    (view.quantityName === "contribution" ? `, contribution ${number(value)}` : "");
}

/** Paints any channel of `view` into one ImageData that is used again and again. */
export function painter(view: View): (channel: number) => ImageData {
  const { maps } = view;
  const image = new ImageData(maps.width, maps.height);
  const colours = table(view.colormap);
  const whole = palette(colours);
  return (channel) => {
    const levels = levelsOf(maps, channel);
    const [lo, hi] = ends(maps, channel, span(maps, channel, view.scale, view.colormap));
    colourise(levels, lo === 0 && hi === 1 ? whole : palette(colours, lo, hi), image.data);
    hatch(levels, maps.width, image.data);
    return image;
  };
}
