/** Small maps of all layers, from one push: which layer the large map is of, and where else to look. */
import type { Data } from "../_shared/channel";
import { type ColormapName } from "../_shared/colormaps";
import { h } from "../_shared/dom";
import { across, extentOf, WHOLE } from "../_shared/extent";
import { number } from "../_shared/format";
import { assign, type Model } from "../_shared/model";
import { colourise } from "./colourise";
import { type Heat, scaleFor, viewOf } from "./heat";
import { laid } from "./laid";
import type { Sign, State } from "./state";

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
  const maps = new Map<string, Heat>();
  let start = 0;
  names.forEach((layer, i) => {
    const [rows, columns] = [sizes[i * 2]!, sizes[i * 2 + 1]!];
    const own = values.subarray(start, (start += rows * columns));
    const size = [rows, columns] as const;
    const extent = extentOf({ extent: extents[i] });
    const plain = { magnitude: null, partial: false, unsigned: false, channels: 0, by: "", made: "" };
    maps.set(layer, { id, size, values: own, layer, extent, ...plain });
  });
  const { caption, unit, method } = content as unknown as Strip;
  return { maps, caption, unit, method };
}

export interface Look {
  sign: Sign;
  name: ColormapName;
  clip: number;
  shared: boolean;
  smooth: boolean;
}

const SIDE = 44;

/** What a tile that stays grey means; empty where there is none. */
export function greyMeans(count: number, sign: Sign): string {
  if (count === 0) return "";
  const why = sign === "signed" ? "the map is 0 everywhere" : `nothing in the map is ${sign}`;
  return `${count} grey: ${why}`;
}

/** The largest limit among the maps, for those who share one scale. */
export function sharedLimit(strip: Strip, { sign, clip }: Pick<Look, "sign" | "clip">): number {
  return Math.max(0, ...[...strip.maps.values()].map((heat) => scaleFor(viewOf(heat, sign), clip).limit));
}

/** Rows and columns of pixels of a tile that is `side` at most, in the map's proportion, or nearly if it is a sliver. */
export function tileSize([rows, columns]: readonly [number, number], side: number): readonly [number, number] {
  const longest = Math.max(rows, columns);
  const along = (cells: number) => Math.max(Math.round(side / 4), Math.round((side * cells) / longest));
  return [along(rows), along(columns)];
}

function draw(canvas: HTMLCanvasElement, heat: Heat, limit: number, { sign, name, smooth }: Look): void {
  const extent = heat.extent ?? WHOLE;
  const [height, width] = tileSize(across(heat.size, extent), Math.round(SIDE * Math.min(devicePixelRatio || 1, 2)));
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  const values = laid(viewOf(heat, sign).part, heat.size, [height, width], smooth, extent);
  colourise(values, width, { limit, sign, name, partial: false }, new Uint32Array(image.data.buffer));
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}

export function thumbs(model: Model<State>) {
  const row = h("div", { class: "cnnw-ho-thumbs", role: "radiogroup", "aria-label": "Maps of all layers" });
  const said = h("span", { class: "cnnw-ho-said" });
  const grey = h("p", { class: "cnnw-ho-said cnnw-ho-grey" });
  const box = h("input", { type: "checkbox" });
  box.addEventListener("change", () => assign(model, "strip_scale", box.checked ? "shared" : "own"));
  const toggle = h("label", { class: "cnnw-ho-check" }, box, "One scale");
  const element = h("div", { class: "cnnw-ho-strips" }, row, h("div", { class: "cnnw-ho-line" }, said, toggle), grey);
  const all = () => [...row.querySelectorAll<HTMLButtonElement>("button")];
  let listed: Strip | null = null;
  let drawn = "";
  let at = "";

  row.addEventListener("click", (event) => {
    const name = (event.target as Element).closest<HTMLButtonElement>("button")?.value;
    if (name !== undefined) assign(model, "layer", name);
  });
  row.addEventListener("keydown", (event) => {
    const buttons = all();
    const now = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const end = buttons.length - 1;
    const to = { ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1, Home: 0, End: end }[
      event.key
    ];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const next = buttons[Math.min(Math.max(to, 0), end)];
    next?.focus({ preventScroll: true });
    next?.click();
  });

  function choose(layer: string): void {
    for (const one of all()) {
      one.setAttribute("aria-checked", String(one.value === layer));
      one.tabIndex = one.value === layer ? 0 : -1;
    }
    const button = all().find(({ value }) => value === layer);
    if (!button) {
      all()[0]?.setAttribute("tabindex", "0");
    }
    const moved = layer !== at;
    at = layer;
    if (moved) centre();
  }

  function centre(): void {
    const button = all().find(({ value }) => value === at);
    if (button) row.scrollLeft = button.offsetLeft + button.offsetWidth / 2 - row.clientWidth / 2;
  }
  // Also when it is seen again: what is hidden has no width, and does not scroll. Ends with the row.
  new ResizeObserver(centre).observe(row);

  return {
    element,
    update(strip: Strip | null, layer: string, look: Look) {
      element.hidden = !strip;
      if (!strip) return void (listed = null);
      if (strip !== listed) {
        listed = strip;
        drawn = at = "";
        row.replaceChildren(
          ...[...strip.maps.keys()].map((name) =>
            h(
              "button",
              { type: "button", role: "radio", value: name, title: name, "aria-label": name },
              h("canvas", { "aria-hidden": "true" }),
            ),
          ),
        );
      }
      const wanted = JSON.stringify(look);
      if (wanted !== drawn) {
        drawn = wanted;
        const shared = sharedLimit(strip, look);
        const heats = [...strip.maps.values()];
        let empty = 0;
        all().forEach((button, i) => {
          const view = viewOf(heats[i]!, look.sign);
          const own = scaleFor(view, look.clip).limit;
          // A map of nothing but NaN is hatched.
          const isGrey = own === 0 && !Number.isNaN(view.stats.min);
          if (isGrey) empty += 1;
          button.classList.toggle("is-grey", isGrey);
          draw(button.firstElementChild as HTMLCanvasElement, heats[i]!, isGrey ? 0 : look.shared ? shared : own, look);
          button.title = `${button.value}: ${number(view.stats.min)} to ${number(view.stats.max)}`;
          if (isGrey) button.title += ` (${greyMeans(1, look.sign).slice("1 ".length)})`;
          button.setAttribute("aria-label", isGrey ? button.title : button.value);
        });
        grey.textContent = greyMeans(empty, look.sign);
        grey.hidden = empty === 0;
        centre();
        const end = number(look.sign === "negative" ? -shared : shared);
        const from = look.sign === "signed" ? number(-shared) : "0";
        said.textContent = look.shared ? `All on one scale, ${from} to ${end}` : "Each map on its own scale";
        box.checked = look.shared;
      }
      choose(layer);
    },
  };
}
