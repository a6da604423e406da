/** Photograph and map, one over the other, and the value under the pointer or the crosshair. */
import { type ColormapName, NOT_FINITE } from "../_shared/colormaps";
import { h } from "../_shared/dom";
import { across, type Extent, WHOLE } from "../_shared/extent";
import { colourise } from "./colourise";
import { type Colours, channelsAt, mix, planes } from "./colours";
import { type Heat, linesAt, type View } from "./heat";
import { laid } from "./laid";
import { paintSize, type Size } from "./resample";

export interface Picture {
  id: number;
  size: Size;
  pixels: Uint8Array;
}

export interface Scene {
  picture: Picture | null;
  heat: Heat | null;
  view: View | null;
  /** The value that gets the last colour. */
  limit: number;
  /** In place of the view's colours: the channels' own. */
  colours: Colours | null;
  name: ColormapName;
  smooth: boolean;
}

function same(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.every((part, i) => part === other[i]);
}

/** The cells, in whole numbers, that would cover the picture. */
function whole(cells: Size, extent: Extent): Size {
  const [rows, columns] = across(cells, extent);
  return [Math.round(rows), Math.round(columns)];
}

/** Below this the photograph is a handful of pixels, and each should be seen as what it is. */
const TINY = 96;

export function stage() {
  const photo = h("canvas", { class: "cnnw-ho-photo", "aria-hidden": "true" });
  const map = h("canvas", { class: "cnnw-ho-map", role: "img", tabindex: 0 });
  const cross = h("div", { class: "cnnw-ho-cross", hidden: true });
  const tip = h("div", { class: "cnnw-ho-tip", hidden: true, "aria-hidden": "true" });
  const live = h("div", { class: "cnnw-ho-live", "aria-live": "polite" });
  const element = h("div", { class: "cnnw-ho-stage" }, photo, map, cross, tip, live);
  let scene: Scene = { picture: null, heat: null, view: null, limit: 0, colours: null, name: "inferno", smooth: true };
  let painted: Picture | null = null;
  let drawn: unknown[] = [];
  let sampled: { of: unknown[]; values: Float32Array[] } = { of: [], values: [] };
  let place: [row: number, column: number] | null = null;

  const size = (): Size =>
    scene.picture?.size ?? (scene.heat ? whole(scene.heat.size, scene.heat.extent ?? WHOLE) : [1, 1]);

  function paintPhoto(): void {
    const { picture } = scene;
    if (picture && picture === painted) return;
    painted = picture;
    [photo.height, photo.width] = size();
    element.style.setProperty("--ratio", String(photo.width / photo.height));
    photo.classList.toggle("is-tiny", Math.max(...size()) < TINY);
    if (!picture) return;
    const image = new ImageData(photo.width, photo.height);
    for (let from = 0, to = 0; from < picture.pixels.length; from += 3, to += 4) {
      image.data[to] = picture.pixels[from]!;
      image.data[to + 1] = picture.pixels[from + 1]!;
      image.data[to + 2] = picture.pixels[from + 2]!;
      image.data[to + 3] = 255;
    }
    photo.getContext("2d")?.putImageData(image, 0, 0);
  }

  function paintMap(): void {
    const { heat, view, limit, colours, name, smooth } = scene;
    const wanted = [painted, view, limit, colours, name, smooth];
    if (same(wanted, drawn)) return;
    drawn = wanted;
    const extent = heat?.extent ?? WHOLE;
    const target = heat ? paintSize(size(), whole(heat.size, extent)) : ([1, 1] as const);
    if (map.height !== target[0] || map.width !== target[1]) [map.height, map.width] = target;
    map.classList.toggle("is-cells", !smooth);
    const context = map.getContext("2d");
    if (!heat || !view || !context) return context?.clearRect(0, 0, map.width, map.height);
    const image = new ImageData(map.width, map.height);
    const of = [painted, view, colours, smooth];
    if (!same(of, sampled.of)) {
      const values = colours ? planes(colours, target, smooth) : [laid(view.part, heat.size, target, smooth, extent)];
      sampled = { of, values };
    }
    const { values } = sampled;
    if (colours) mix(values, limit, NOT_FINITE, image.data);
    else {
      const how = { limit, sign: view.sign, name, partial: heat.partial };
      colourise(values[0]!, map.width, how, new Uint32Array(image.data.buffer));
    }
    context.putImageData(image, 0, 0);
  }

  function probe(to: [number, number] | null, withCross: boolean): void {
    const [height, width] = size();
    place = to && [Math.min(Math.max(to[0], 0), height - 1), Math.min(Math.max(to[1], 0), width - 1)];
    const { heat, view, colours, smooth } = scene;
    tip.hidden = !place || !heat;
    cross.hidden = !place || !withCross;
    if (!place) return;
    const [x, y] = [(place[1] + 0.5) / width, (place[0] + 0.5) / height];
    for (const mark of [tip, cross]) {
      mark.style.left = `${x * 100}%`;
      mark.style.top = `${y * 100}%`;
    }
    tip.classList.toggle("is-left", x > 0.5);
    tip.classList.toggle("is-below", y < 0.25);
    if (!heat || !view) return;
    const lines = colours
      ? channelsAt(colours, [height, width], ...place)
      : linesAt(heat, view, [height, width], ...place, smooth);
    tip.replaceChildren(...lines.map((line) => h("div", {}, line)));
    if (withCross) live.textContent = lines.join(", ");
  }

  map.addEventListener("pointermove", (event) => {
    const [height, width] = size();
    const box = map.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * height);
    probe([row, Math.floor(((event.clientX - box.left) / box.width) * width)], false);
  });
  map.addEventListener("pointerleave", () => probe(null, false));
  map.addEventListener("blur", () => {
    probe(null, false);
    element.classList.remove("is-bare");
  });
  map.addEventListener("keyup", (event) => {
    if (event.key === " ") element.classList.remove("is-bare");
  });
  map.addEventListener("keydown", (event) => {
    const [height, width] = size();
    const step = event.shiftKey ? 10 : 1;
    const move = { ArrowUp: [-step, 0], ArrowDown: [step, 0], ArrowLeft: [0, -step], ArrowRight: [0, step] }[event.key];
    if (move) {
      const [row, column] = place ?? [Math.floor(height / 2), Math.floor(width / 2)];
      probe(place ? [row + move[0]!, column + move[1]!] : [row, column], true);
    } else if (event.key === " ") element.classList.add("is-bare");
    else if (event.key === "Escape") probe(null, false);
    else return;
    // JupyterLab moves between cells with the arrows, and the page scrolls with the space bar.
    event.preventDefault();
    event.stopPropagation();
  });

  return {
    element,
    photo,
    map,
    size,
    at: () => (cross.hidden ? null : place),
    paint(next: Scene): void {
      scene = next;
      paintPhoto();
      paintMap();
      if (place) probe(place, !cross.hidden);
    },
  };
}
