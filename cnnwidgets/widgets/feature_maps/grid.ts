/** The grid of maps: only the tiles on screen exist, all of them can be reached by wheel and keyboard. */
import { table } from "../_maps/colormaps";
import { colourLevels, hatch, palette } from "../_maps/paint";
import { claim, everyFrame, h, putImage } from "../_shared/dom";
import { number, percent } from "../_shared/format";
import { CAPTION, type Layout, layout, move, positionOf, reveal, visible } from "./layout";
import { ends, levelsOf, type MapsView, share, span } from "./view";

/** One map in the grid: its picture, its number and a bar. Tiles are recycled, so filling one sets all of it. */
export class Tile {
  readonly element: HTMLElement;
  readonly #canvas = h("canvas");
  readonly #name = document.createTextNode("");
  readonly #bar = h("i");

  constructor() {
    const track = h("span", { class: "fm-track" }, this.#bar);
    const caption = h("span", { class: "fm-caption cnnw-line cnnw-small cnnw-soft" }, h("span", {}, this.#name), track);
    this.element = h("div", { role: "option", class: "fm-cell", tabindex: -1 }, this.#canvas, caption);
    // Kept in main memory: the tiles are written by the CPU and never drawn into.
    this.#canvas.getContext("2d", { willReadFrequently: true });
  }

  fill(view: MapsView, grid: Layout, position: number, paint: (channel: number) => ImageData): void {
    const channel = view.order[position] as number;
    this.#move(grid, position);
    putImage(this.#canvas, paint(channel));
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

const SPARE = 200;

export class TileGrid {
  readonly element: HTMLElement;
  readonly #inner = h("div", { class: "fm-inner cnnw-around" });
  readonly #tiles = new Map<number, Tile>();
  readonly #spare: Tile[] = [];
  #view: MapsView | null = null;
  #layout: Layout | null = null;
  #paint: ReturnType<typeof painter> | null = null;
  #selected: number | null = null;
  #off: ReadonlySet<number> = new Set();
  /** The channel that the keyboard is at. */
  #active = 0;
  /** The selected map may have left the screen for another reason than the reader's scrolling. */
  #lost = false;
  #width = 0;
  #height = 0;
  readonly #scrolling = everyFrame(() => this.#update(false));
  readonly #resizing = new ResizeObserver(() => this.#onResize());

  constructor(
    private readonly onchoose: (channel: number) => void,
    private readonly onpainted: (view: MapsView) => void,
  ) {
    const list = { role: "listbox", "aria-label": "Feature maps" };
    this.element = h("div", { class: "fm-scroll cnnw-around", ...list }, this.#inner);
    this.element.addEventListener("scroll", this.#scrolling.request, { passive: true });
    this.element.addEventListener("click", (event) => this.#onClick(event));
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
    this.element.addEventListener("focusout", (event) => this.#onLeave(event));
    this.#resizing.observe(this.element);
  }

  /** Lays out and paints `view` at once, if the grid is on screen; `channel` is the selected one. */
  show(view: MapsView, channel: number | null): void {
    const { element } = this;
    const other = this.#view?.maps.layer !== view.maps.layer;
    this.#lost ||= other || (channel !== null && this.#view?.position[channel] !== view.position[channel]);
    this.#view = view;
    this.#selected = channel;
    if (channel !== null) this.#active = channel;
    else if (this.#active >= view.maps.count) this.#active = 0;
    if (other) element.scrollTop = 0;
    element.setAttribute("aria-label", `Feature maps of ${view.maps.layer}`);
    [this.#width, this.#height] = [element.clientWidth, element.clientHeight];
    this.#repaint();
  }

  /** Marks a channel and brings it on screen. */
  select(channel: number | null): void {
    this.#selected = channel;
    if (channel !== null && this.#view && channel < this.#view.maps.count) {
      this.#active = channel;
      this.#bring(this.#positionOf(channel));
      this.#update(false);
    } else this.#markAll();
  }

  switchOff(channels: ReadonlySet<number>): void {
    this.#off = channels;
    this.#markAll();
  }

  focus(): void {
    this.#tiles.get(this.#positionOf(this.#active))?.element.focus({ preventScroll: true });
  }

  close(): void {
    this.#scrolling.cancel();
    this.#resizing.disconnect();
  }

  #positionOf(channel: number): number {
    return this.#view?.position[channel] ?? 0;
  }

  #markAll(): void {
    for (const [position, tile] of this.#tiles) this.#mark(tile, position);
  }

  #mark({ element }: Tile, position: number): void {
    const channel = this.#view?.order[position];
    element.setAttribute("aria-selected", String(channel === this.#selected));
    element.tabIndex = channel === this.#active ? 0 : -1;
    element.classList.toggle("fm-off", channel !== undefined && this.#off.has(channel));
  }

  /** Makes the tiles on screen, and that of the active channel, which must not lose the focus; frees all others. */
  #update(refill: boolean): void {
    const grid = this.#layout;
    if (!grid) return;
    const [first, last] = visible(grid, this.element.scrollTop, this.element.clientHeight);
    const focused = this.#positionOf(this.#active);
    for (const [position, tile] of this.#tiles) {
      if ((position >= first && position < last) || position === focused) continue;
      this.#tiles.delete(position);
      this.#spare.push(tile);
    }
    for (let position = first; position < last; position += 1) this.#fill(grid, position, refill);
    if (focused < first || focused >= last) this.#fill(grid, focused, refill);
    for (const tile of this.#spare) tile.element.remove();
    this.#spare.length = Math.min(this.#spare.length, SPARE);
  }

  #fill(grid: Layout, position: number, refill: boolean): void {
    const [view, paint] = [this.#view, this.#paint];
    if (!view || !paint) return;
    const present = this.#tiles.get(position);
    const tile = present ?? this.#spare.pop() ?? new Tile();
    this.#tiles.set(position, tile);
    if (!present || refill) tile.fill(view, grid, position, paint);
    if (!tile.element.isConnected) this.#inner.append(tile.element);
    this.#mark(tile, position);
  }

  #repaint(): void {
    const view = this.#view;
    if (!view || this.element.clientWidth === 0) return;
    const { maps } = view;
    this.#paint = painter(view);
    this.#layout = layout(maps.count, this.#inner.clientWidth, view.cellSize, maps.height / maps.width);
    this.#inner.style.height = `${this.#layout.total}px`;
    // Shrinking a large map by dropping pixels would hide some of them.
    this.element.classList.toggle("fm-blend", maps.width > this.#layout.width * devicePixelRatio);
    if (this.#lost && this.#selected !== null) this.#bring(this.#positionOf(this.#selected));
    this.#lost = false;
    this.#update(true);
    this.onpainted(view);
  }

  #bring(position: number): void {
    const { element } = this;
    if (!this.#layout || element.clientHeight === 0) return;
    // The padding, 3 px at each end, is room for the selected tile's outline.
    const top = reveal(this.#layout, position, element.scrollTop, element.clientHeight - 6);
    if (top !== element.scrollTop) element.scrollTop = top;
  }

  #activate(position: number): void {
    this.#active = this.#view?.order[position] ?? 0;
    this.#bring(position);
    this.#update(false);
    this.focus();
  }

  #onClick(event: MouseEvent): void {
    const tile = (event.target as Element).closest<HTMLElement>("[data-channel]");
    if (!tile) return;
    const channel = Number(tile.dataset["channel"]);
    this.#activate(this.#positionOf(channel));
    this.onchoose(channel);
  }

  #onKey(event: KeyboardEvent): void {
    if (!this.#layout || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") this.onchoose(this.#active);
    else {
      const to = move(this.#layout, this.#positionOf(this.#active), event.key, this.element.clientHeight);
      if (to === null) return;
      this.#activate(to);
    }
    claim(event);
  }

  /** Tab comes back to the selected map. */
  #onLeave({ relatedTarget }: FocusEvent): void {
    if (relatedTarget && this.element.contains(relatedTarget as Node)) return;
    if (this.#selected === null || this.#selected === this.#active) return;
    this.#active = this.#selected;
    this.#update(false);
  }

  #onResize(): void {
    const before = [this.#width, this.#height];
    [this.#width, this.#height] = [this.element.clientWidth, this.element.clientHeight];
    if (this.#width !== before[0]) this.#repaint();
    else if (this.#height !== before[1]) this.#update(false);
  }
}
