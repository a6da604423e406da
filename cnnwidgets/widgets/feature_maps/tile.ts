/** One map in the grid: its picture, its number and a bar. Tiles are recycled, so filling one sets all of it. */
import { table } from "../_maps/colormaps";
import { colourLevels, hatch, palette } from "../_maps/paint";
import { h } from "../_shared/dom";
import { number, percent } from "../_shared/format";
import { CAPTION, type Layout, positionOf } from "./layout";
import { ends, levelsOf, span } from "./maps";
import { share } from "./order";
import type { MapsView } from "./view";

export class Tile {
  readonly element: HTMLElement;
  readonly #canvas = h("canvas");
  readonly #context: CanvasRenderingContext2D;
  readonly #name = document.createTextNode("");
  readonly #bar = h("i");

  constructor() {
    const track = h("span", { class: "fm-track" }, this.#bar);
    const caption = h("span", { class: "fm-caption cnnw-line cnnw-small cnnw-soft" }, h("span", {}, this.#name), track);
    this.element = h("div", { role: "option", class: "fm-cell", tabindex: -1 }, this.#canvas, caption);
    // Kept in main memory: the tiles are written by the CPU and never drawn into.
    const context = this.#canvas.getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("this browser has no 2D canvas");
    this.#context = context;
  }

  fill(view: MapsView, grid: Layout, position: number, paint: (channel: number) => ImageData): void {
    const channel = view.order[position] as number;
    const image = paint(channel);
    this.#move(grid, position);
    if (this.#canvas.width !== image.width) this.#canvas.width = image.width;
    if (this.#canvas.height !== image.height) this.#canvas.height = image.height;
    this.#context.putImageData(image, 0, 0);
    this.#describe(view, channel);
    this.element.setAttribute("aria-posinset", String(position + 1));
    this.element.setAttribute("aria-setsize", String(grid.count));
  }

  #move(grid: Layout, position: number): void {
    const { style } = this.element;
    const { left, top } = positionOf(grid, position);
    style.transform = `translate(${left}px, ${top}px)`;
    style.width = `${grid.width}px`;
    style.height = `${grid.height + CAPTION}px`;
    this.#canvas.style.height = `${grid.height}px`;
  }

  #describe({ maps, quantity, quantityName, longest }: MapsView, channel: number): void {
    const value = quantity[channel] ?? Number.NaN;
    const part = share(value, longest);
    this.#bar.style.width = `${(Math.abs(part) * 100).toFixed(1)}%`;
    this.#bar.classList.toggle("fm-negative", part < 0);
    this.#name.data = this.element.dataset["channel"] = String(channel);
    this.element.setAttribute("aria-label", `channel ${channel}, ${quantityName} ${number(value)}`);
    const of = (values: ArrayLike<number>) => values[channel] ?? Number.NaN;
    const range = `${number(of(maps.minimum))} to ${number(of(maps.maximum))}`;
    const facts = [`Channel ${channel}: ${range}`, `mean ${number(of(maps.mean))}`, `zeros ${percent(of(maps.zeros))}`];
    if (quantityName === "contribution") facts.push(`contribution ${number(value)}`);
    this.element.title = facts.join(", ");
  }
}

/** Paints any channel of `view` into one ImageData that is used again and again. */
export function painter(view: MapsView): (channel: number) => ImageData {
  const { maps } = view;
  const image = new ImageData(maps.width, maps.height);
  const colours = table(view.colormap);
  const whole = palette(colours);
  return (channel) => {
    const levels = levelsOf(maps, channel);
    const [lo, hi] = ends(maps, channel, span(maps, channel, view.scale, view.colormap));
    colourLevels(levels, lo === 0 && hi === 1 ? whole : palette(colours, lo, hi), image.data);
    hatch(levels, maps.width, image.data);
    return image;
  };
}
