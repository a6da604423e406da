/** The row of small maps. */
import type { ArrayData } from "../_shared/channel";
import { table } from "../_shared/colormaps";
import { h } from "../_shared/dom";
import { colourise, hatch, palette } from "../_shared/paint";
import { missing, type Stage, stagesOf } from "./stages";
import type { MapsContent } from "./state";

/** One figure a map of `maps` (n, h, w), levels 0 to 254, 255 where it is not finite. */
export function strip(maps: ArrayData, content: MapsContent): HTMLElement {
  const [count = 0, height = 1, width = 1] = maps.shape;
  const colours = palette(table(content.signed ? "blue-red" : "inferno"));
  const cells = stagesOf(content)
    .slice(0, count)
    .map((stage, index) => {
      const values = maps.data.subarray(index * height * width, (index + 1) * height * width) as Uint8Array;
      return cell(stage, values, height, width, colours);
    });
  const how = content.signed ? "Red speaks for the class, blue against it" : "Bright is large";
  return h(
    "div",
    { class: "mc-strip" },
    h("div", { class: "mc-maps", role: "list", "aria-label": "Maps with more and more random weights" }, ...cells),
    h("p", { class: "mc-partial" }, missing(content)),
    h("p", { class: "mc-soft" }, `${how}; each map is on its own scale. Under a map: its similarity to the original.`),
  );
}

function cell(stage: Stage, values: Uint8Array, height: number, width: number, colours: Uint32Array): HTMLElement {
  const canvas = h("canvas", { width, height, role: "img", "aria-label": stage.title });
  const pixels = colourise(values, colours);
  hatch(values, width, pixels);
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, width, height), 0, 0);
  const layer = h("span", { class: "mc-layer" }, h("bdi", {}, stage.layer));
  return h(
    "div",
    { class: "mc-cell", role: "listitem", title: stage.title, "data-stage": stage.place },
    canvas,
    stage.place > 0
      ? h("span", { class: "mc-line" }, h("span", { class: "mc-place" }, `${stage.place}`), layer)
      : layer,
    h("b", {}, stage.similarity),
  );
}
