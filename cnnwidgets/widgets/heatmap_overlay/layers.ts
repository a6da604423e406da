/** The row of small maps, one a layer: which one the large map is of, and where else to look. */
import type { ColormapName } from "../_maps/colormaps";
import { type Heat, PLAIN, scaleFor, viewOf } from "../_maps/heat";
import { piecesOf } from "../_maps/mosaic";
import { heatImage } from "../_maps/paint";
import { across, extentOf } from "../_maps/resample";
import type { Sign } from "../_maps/scale";
import { changes, checkbox, choose, h, putImage, setText, tell, walkByKeys } from "../_shared/dom";
import { number } from "../_shared/format";
import { Slider } from "../_shared/slider";
import { type Data, type Link, View } from "../_shared/view";
import type { OverlayState } from "./look";

export interface Strip {
  /** Layer -> its map, in order. */
  maps: Map<string, Heat>;
  /** Of the large map; `{layer}` stands for the name. */
  caption: string;
  unit: string;
  /** The method whose maps these are; empty: whichever. */
  method: string;
}

/** The strip in a "strip" push; null if it holds none. */
export function stripOf({ id, arrays, content }: Data): Strip | null {
  const names = content["names"] as string[];
  const extents = (content["extents"] ?? []) as unknown[];
  const [values, sizes] = [arrays["values"]?.data, arrays["sizes"]?.data];
  if (names.length === 0 || !(values instanceof Float32Array) || !sizes) return null;
  const pieces = piecesOf(values, sizes);
  const heats = names.map((layer, i): [string, Heat] => {
    const extent = extentOf({ extent: extents[i] });
    return [layer, { ...PLAIN, ...pieces[i]!, id, magnitude: null, layer, extent }];
  });
  const { caption, unit, method } = content as unknown as Strip;
  return { maps: new Map(heats), caption, unit, method };
}

export interface StripLook {
  sign: Sign;
  name: ColormapName;
  clip: number;
  shared: boolean;
  smooth: boolean;
}

/** What a tile that stays grey means; empty where there is none. */
export function greyMeans(count: number, sign: Sign): string {
  if (count === 0) return "";
  const why = sign === "signed" ? "the map is 0 everywhere" : `nothing in the map is ${sign}`;
  return `${count} grey: ${why}`;
}

/** The largest limit among the maps, for those who share one scale. */
export function sharedLimit(strip: Strip, { sign, clip }: Pick<StripLook, "sign" | "clip">): number {
  return Math.max(0, ...[...strip.maps.values()].map((heat) => scaleFor(viewOf(heat, sign), clip).limit));
}

/** Rows and columns of pixels of a tile that is `side` at most, in the map's proportion, or nearly if it is a sliver. */
export function tileSize([rows, columns]: readonly [number, number], side: number): readonly [number, number] {
  const longest = Math.max(rows, columns);
  const along = (cells: number) => Math.max(Math.round(side / 4), Math.round((side * cells) / longest));
  return [along(rows), along(columns)];
}

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
    walkByKeys(this.#row, { stops: true });
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
    const radio = { type: "button", role: "radio", class: "cnnw-plain", value: layer };
    return h("button", { ...radio, title: layer, "aria-label": layer }, canvas);
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
    tell(this.#grey, greyMeans(empty, sign));
    this.#centre();
    const end = number(sign === "negative" ? -limit : limit);
    const start = sign === "signed" ? number(-limit) : "0";
    this.#scale.textContent = look.shared ? `All on one scale, ${start} to ${end}` : "Each map on its own scale";
    this.#shared.input.checked = look.shared;
  }

  #choose(layer: string): void {
    choose(this.#row, layer, "aria-checked");
    const moved = layer !== this.#layer;
    this.#layer = layer;
    if (moved) this.#centre();
  }

  #centre(): void {
    const tile = this.#tiles().find(({ value }) => value === this.#layer);
    if (tile) this.#row.scrollLeft = tile.offsetLeft + tile.offsetWidth / 2 - this.#row.clientWidth / 2;
  }
}

const PIN = "Keep the overlay at this layer while other layers are looked at";

export function layerSlider(link: Link<OverlayState>, thumbs: HTMLElement): HTMLElement {
  const slider = new Slider("Layer", 1, (value) => {
    const layer = link.get("layers")[value - 1];
    if (layer !== undefined) link.set("layer", layer);
  });
  slider.element.title = "The layer whose map is on show, from the first to the last";
  const name = h("span", { class: "cnnw-ho-layer cnnw-cut", dir: "auto" });
  const pin = checkbox("Pin", (on) => link.set("follow", !on), PIN);
  const line = h("div", { class: "cnnw-ho-slider" }, slider.element, pin.element);
  // Seen where the place of the slider is kept, so that another method moves nothing.
  const none = h("p", { class: "cnnw-ho-layerless cnnw-soft" }, "This method has no layer to choose.");
  const element = h("div", { class: "cnnw-ho-layers cnnw-around" }, line, thumbs, name, none);
  let last = 1;
  link.watch(["layers", "layer", "follow"], () => {
    const layers = link.get("layers");
    const layer = link.get("layer");
    const at = layers.indexOf(layer) + 1;
    element.hidden = layers.length === 0;
    last = Math.min(at || last, Math.max(layers.length, 1));
    const text = `${at || "–"}/${layers.length}`;
    slider.update(last, layers.length, text, at ? `${layer}, ${text}` : "none of these");
    setText(name, layer);
    pin.input.checked = !link.get("follow");
  });
  return element;
}
