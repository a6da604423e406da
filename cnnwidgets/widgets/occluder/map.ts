/** The picture of a sweep: its map over the photograph, and the place under the pointer or the crosshair. */
import { table } from "../_shared/colormaps";
import { h, s } from "../_shared/dom";
import { opaque, pack } from "../_shared/paint";
import type { Photo } from "./fills";
import { nearestPlace } from "./geometry";
import type { SweepView } from "./state";
import { limitOf, nextPlace, patchAt, placeAt, type Swept } from "./swept";

const MEASURED = 175;
const ESTIMATED = 95;

/** RGBA at the size of the picture; fainter where a place was not measured, nothing where it is unknown. */
export function mapPixels(
  swept: Swept,
  view: SweepView,
  colours: ReadonlyMap<number, string>,
  [height, width]: readonly [number, number],
): Uint8ClampedArray<ArrayBuffer> {
  const byPlace = new Uint32Array(swept.rows * swept.columns);
  const limit = limitOf(swept.drop);
  const ramp = table("blue-red");
  for (let place = 0; place < byPlace.length; place += 1) {
    const alpha = swept.known[place] ? MEASURED : ESTIMATED;
    if (view === "drop") {
      const value = swept.drop[place]!;
      if (!Number.isFinite(value)) continue;
      const at = Math.round(127.5 + (limit > 0 ? (127.5 * value) / limit : 0)) * 3;
      byPlace[place] = pack(ramp[at]!, ramp[at + 1]!, ramp[at + 2]!, alpha);
    } else {
      const colour = colours.get(swept.predicted[place]!);
      if (!colour) continue;
      const [red, green, blue] = [1, 3, 5].map((from) => parseInt(colour.slice(from, from + 2), 16));
      byPlace[place] = pack(red!, green!, blue!, alpha);
    }
  }
  const down = nearestPlace(swept.tops, swept.patch[0], height);
  const across = nearestPlace(swept.lefts, swept.patch[1], width);
  const out = new Uint8ClampedArray(height * width * 4);
  const words = new Uint32Array(out.buffer);
  for (let row = 0, at = 0; row < height; row += 1) {
    const start = down[row]! * swept.columns;
    for (let column = 0; column < width; column += 1, at += 1) words[at] = byPlace[start + across[column]!]!;
  }
  return out;
}

export function map(probe: (place: number | null) => void) {
  const photoCanvas = h("canvas", {});
  const canvas = h("canvas", { class: "oc-map-layer" });
  const lines = s("svg", { class: "oc-lines", preserveAspectRatio: "none" });
  const element = h(
    "div",
    { class: "oc-map", tabindex: 0, role: "application", "aria-roledescription": "map" },
    photoCanvas,
    canvas,
    lines,
  );
  let swept: Swept | null = null;
  let photo: Photo | null = null;
  let drawn = -1;
  let place = 0;

  const at = (event: PointerEvent): number | null => {
    if (!swept || !photo) return null;
    const box = canvas.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * photo.size[0]);
    const column = Math.floor(((event.clientX - box.left) / box.width) * photo.size[1]);
    if (row < 0 || column < 0 || row >= photo.size[0] || column >= photo.size[1]) return null;
    return placeAt(swept, photo.size, row, column);
  };
  const show = (next: number | null) => {
    if (next !== null) place = next;
    mark(next);
    probe(next);
  };
  element.addEventListener("pointermove", (event) => show(at(event)));
  element.addEventListener("pointerleave", () => show(null));
  element.addEventListener(
    "focus",
    () => element.matches(":focus-visible") && swept && show(Math.min(place, swept.drop.length - 1)),
  );
  element.addEventListener("blur", () => show(null));
  element.addEventListener("keydown", (event) => {
    const next = swept && nextPlace(swept, place, event.key);
    if (event.key === "Escape") show(null);
    if (next === null) return;
    event.preventDefault();
    show(next);
  });

  function mark(index: number | null): void {
    if (index === null || !swept || index >= swept.drop.length) {
      lines.replaceChildren();
      return;
    }
    const { top: y, left: x, height, width } = patchAt(swept, index);
    lines.replaceChildren(
      ...["dark", "light"].map((tone) => s("rect", { x, y, width, height, class: `oc-line is-${tone} is-selected` })),
    );
  }

  return {
    element,
    canvas,
    photoCanvas,
    update(of: Photo, now: Swept, view: SweepView, colours: ReadonlyMap<number, string>): void {
      if (place >= now.drop.length) place = 0;
      swept = now;
      photo = of;
      const [height, width] = of.size;
      if (drawn !== of.id) {
        drawn = of.id;
        for (const each of [canvas, photoCanvas]) [each.height, each.width] = [height, width];
        photoCanvas.getContext("2d")!.putImageData(new ImageData(opaque(of.pixels), width, height), 0, 0);
        lines.setAttribute("viewBox", `0 0 ${width} ${height}`);
        element.style.aspectRatio = `${width} / ${height}`;
      }
      canvas.getContext("2d")!.putImageData(new ImageData(mapPixels(now, view, colours, of.size), width, height), 0, 0);
      const what = view === "drop" ? `Drop of ${now.target}` : "Predicted class";
      element.setAttribute(
        "aria-label",
        `${what} with the patch at ${now.rows} × ${now.columns} places; arrow keys move over them`,
      );
    },
  };
}
