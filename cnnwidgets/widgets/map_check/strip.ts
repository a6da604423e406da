/** The row of small maps. */
import { table } from "../_maps/colormaps";
import { colourLevels, hatch, palette } from "../_maps/paint";
import { putImage } from "../_shared/canvas";
import type { ArrayData } from "../_shared/channel";
import { h } from "../_shared/dom";
import { type CheckStage, missing, stagesOf } from "./stages";
import type { MapsContent } from "./state";

/** One figure a map of `maps` (n, h, w), levels 0 to 254, 255 where it is not finite. */
export function strip(maps: ArrayData, content: MapsContent): HTMLElement {
  const [count = 0, height = 1, width = 1] = maps.shape;
  const colours = palette(table(content.signed ? "blue-red" : "inferno"));
  const stages = stagesOf(content).slice(0, count);
  const cells = stages.map((stage, index) => {
    const levels = maps.data.subarray(index * height * width, (index + 1) * height * width) as Uint8Array;
    const pixels = colourLevels(levels, colours);
    hatch(levels, width, pixels);
    return cell(stage, new ImageData(pixels, width, height));
  });
  const how = content.signed ? "Red speaks for the class, blue against it" : "Bright is large";
  const text = `${how}; each map is on its own scale. Under a map: its similarity to the original.`;
  const name = "Maps with more and more random weights";
  return h(
    "div",
    { class: "mc-strip" },
    h("div", { class: "mc-maps", role: "list", "aria-label": name }, ...cells),
    h("p", { class: "mc-partial" }, missing(content)),
    h("p", { class: "cnnw-soft" }, text),
  );
}

function cell({ title, layer, number, similarity }: CheckStage, image: ImageData): HTMLElement {
  const canvas = h("canvas", { role: "img", "aria-label": title });
  putImage(canvas, image);
  const name = h("span", { class: "mc-layer cnnw-cut" }, h("bdi", {}, layer));
  const stage = h("span", { class: "cnnw-soft" }, String(number));
  return h(
    "div",
    { class: "mc-cell cnnw-small", role: "listitem", title, "data-stage": number },
    canvas,
    number > 0 ? h("span", { class: "cnnw-line" }, stage, name) : name,
    h("b", { class: "cnnw-figures" }, similarity),
  );
}
