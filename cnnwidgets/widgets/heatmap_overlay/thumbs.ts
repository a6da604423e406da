/** The row of small maps, one a layer: which one the large map is of, and where else to look. */
import { heatImage } from "../_maps/colourise";
import { across } from "../_maps/extent";
import { type Heat, scaleFor, viewOf } from "../_maps/heat";
import { putImage } from "../_shared/canvas";
import { changes, checkbox, claim, h } from "../_shared/dom";
import { number } from "../_shared/format";
import { type Link, View } from "../_shared/view";
import type { OverlayState } from "./state";
import { greyMeans, type Strip, type StripLook, sharedLimit, tileSize } from "./strip";

const SIDE = 44;

function paintTile(canvas: HTMLCanvasElement, heat: Heat, limit: number, { sign, name, smooth }: StripLook): void {
  const size = tileSize(across(heat.size, heat.extent), Math.round(SIDE * Math.min(devicePixelRatio || 1, 2)));
  putImage(canvas, heatImage(heat, viewOf(heat, sign), size, smooth, { limit, sign, name, partial: false }));
}

export class Thumbs extends View<OverlayState> {
  readonly element: HTMLElement;
  readonly #row = h("div", { class: "cnnw-ho-thumbs", role: "radiogroup", "aria-label": "Maps of all layers" });
  readonly #scale = h("span", { class: "cnnw-small cnnw-soft cnnw-figures" });
  readonly #grey = h("p", { class: "cnnw-ho-grey cnnw-small cnnw-soft cnnw-figures" });
  readonly #shared = checkbox(
    "One scale",
    (on) => this.link.set("strip_scale", on ? "shared" : "own"),
    "Paint all of these maps on the same scale, so that their colours can be compared",
  );
  #strip: Strip | null = null;
  #lookChanged = changes();
  #layer = "";

  constructor(link: Link<OverlayState>) {
    super(link);
    this.#shared.element.classList.add("cnnw-end");
    const line = h("div", { class: "cnnw-row" }, this.#scale, this.#shared.element);
    this.element = h("div", { class: "cnnw-ho-strips" }, this.#row, line, this.#grey);
    this.#row.addEventListener("click", (event) => {
      const layer = (event.target as Element).closest("button")?.value;
      if (layer !== undefined) link.set("layer", layer);
    });
    this.#row.addEventListener("keydown", (event) => this.#onKey(event));
    // Also when it is seen again: what is hidden has no width, and does not scroll. Ends with the row.
    new ResizeObserver(() => this.#centre()).observe(this.#row);
  }

  update(strip: Strip | null, layer: string, look: StripLook): void {
    this.element.hidden = !strip;
    if (strip && strip !== this.#strip) {
      this.#lookChanged = changes();
      this.#layer = "";
      this.#row.replaceChildren(...[...strip.maps.keys()].map((name) => this.#tile(name)));
    }
    this.#strip = strip;
    if (!strip) return;
    if (this.#lookChanged(JSON.stringify(look))) this.#paint(strip, look);
    this.#choose(layer);
  }

  #tile(layer: string): HTMLElement {
    const canvas = h("canvas", { "aria-hidden": "true" });
    return h("button", { type: "button", role: "radio", value: layer, title: layer, "aria-label": layer }, canvas);
  }

  #tiles(): HTMLButtonElement[] {
    return [...this.#row.querySelectorAll("button")];
  }

  #paint(strip: Strip, look: StripLook): void {
    const { sign, clip } = look;
    const heats = [...strip.maps.values()];
    const limit = sharedLimit(strip, look);
    let empty = 0;
    for (const [i, tile] of this.#tiles().entries()) {
      const view = viewOf(heats[i]!, sign);
      const own = scaleFor(view, clip).limit;
      // A map of nothing but NaN is hatched.
      const isGrey = own === 0 && !Number.isNaN(view.stats.min);
      if (isGrey) empty += 1;
      tile.classList.toggle("is-grey", isGrey);
      paintTile(tile.firstElementChild as HTMLCanvasElement, heats[i]!, isGrey ? 0 : look.shared ? limit : own, look);
      tile.title = `${tile.value}: ${number(view.stats.min)} to ${number(view.stats.max)}`;
      if (isGrey) tile.title += ` (${greyMeans(1, sign).slice("1 ".length)})`;
      tile.setAttribute("aria-label", isGrey ? tile.title : tile.value);
    }
    this.#grey.textContent = greyMeans(empty, sign);
    this.#grey.hidden = empty === 0;
    this.#centre();
    const end = number(sign === "negative" ? -limit : limit);
    const start = sign === "signed" ? number(-limit) : "0";
    this.#scale.textContent = look.shared ? `All on one scale, ${start} to ${end}` : "Each map on its own scale";
    this.#shared.input.checked = look.shared;
  }

  #choose(layer: string): void {
    const tiles = this.#tiles();
    const stop = tiles.find(({ value }) => value === layer) ?? tiles[0];
    for (const tile of tiles) {
      tile.setAttribute("aria-checked", String(tile.value === layer));
      tile.tabIndex = tile === stop ? 0 : -1;
    }
    const moved = layer !== this.#layer;
    this.#layer = layer;
    if (moved) this.#centre();
  }

  /** Scrolls the tile of the layer into the middle of the row. */
  #centre(): void {
    const tile = this.#tiles().find(({ value }) => value === this.#layer);
    if (tile) this.#row.scrollLeft = tile.offsetLeft + tile.offsetWidth / 2 - this.#row.clientWidth / 2;
  }

  #onKey(event: KeyboardEvent): void {
    const tiles = this.#tiles();
    const at = tiles.indexOf(document.activeElement as HTMLButtonElement);
    const end = tiles.length - 1;
    const steps = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: end };
    const to = steps[event.key as keyof typeof steps];
    if (to === undefined) return;
    claim(event);
    const next = tiles[Math.min(Math.max(to, 0), end)];
    next?.focus({ preventScroll: true });
    next?.click();
  }
}
