/** What can be picked on the picture: marks, a region that is drawn, the segment under a click; and what is explained. */
import "./picking.css";
import { type Data, subscribe } from "../_shared/channel";
import { h } from "../_shared/dom";
import { assign, type Model, watch } from "../_shared/model";
import { type Box, boxBetween, type Mark, markAt, outline, type Pixel, pixelAt, placed } from "./boxes";
import type { Size } from "./resample";
import type { State } from "./state";

/** Pixels of the screen: a pointer that moves less has clicked. */
const STILL = 4;
const HINTS = {
  none: "",
  marks: "Click a box to explain it.",
  region: "Click a segment, or draw a box, to explain that part.",
};

interface Stage {
  element: HTMLElement;
  map: HTMLElement;
  size: () => Size;
  /** Where the crosshair is. */
  at: () => Pixel | null;
}

/** Whether a pixel lies beside one inside: the outline of the outside runs along the picture's edge too. */
function touches(inside: Uint8Array, at: number, width: number): boolean {
  const column = at % width;
  return Boolean(
    inside[at - width] ||
      inside[at + width] ||
      (column > 0 && inside[at - 1]) ||
      (column < width - 1 && inside[at + 1]),
  );
}

export function picking(model: Model<State>, stage: Stage) {
  const words = h("span", { dir: "auto" });
  const whole = h("button", { type: "button", class: "cnnw-ho-link", onclick: () => pick([]) }, "Whole picture");
  const hint = h("span", { class: "cnnw-ho-hint" });
  const sentence = h("p", { class: "cnnw-ho-explains" }, words, " ", hint, " ", whole);
  const boxes = h("div", { class: "cnnw-ho-marks", role: "group", "aria-label": "What can be picked" });
  const frame = h("div", { class: "cnnw-ho-region", hidden: true, "aria-hidden": "true" });
  const area = h("canvas", { class: "cnnw-ho-segment", hidden: true, "aria-hidden": "true" });
  stage.element.append(area, frame, boxes);
  let segment: Data | null = null;
  let begun: { pixel: Pixel; x: number; y: number } | null = null;
  let drawing: Box | null = null;

  function pick(region: number[]): void {
    if (region.join() !== model.get("region").join()) assign(model, "region", region);
  }

  function take(pixel: Pixel): void {
    if (model.get("picking") === "region") return pick([...pixel]);
    const mark = model.get("picking") === "marks" ? markAt(model.get("marks"), pixel) : null;
    if (mark) assign(model, "marked", mark.index);
  }

  function put(element: HTMLElement, box: Box): void {
    Object.assign(element.style, placed(box, stage.size()));
  }

  function paintMarks(): void {
    const marks = model.get("picking") === "marks" ? model.get("marks") : [];
    const focused = [...boxes.children].indexOf(document.activeElement as Element);
    boxes.replaceChildren(
      ...marks.map((mark: Mark) => {
        const on = mark.index === model.get("marked");
        const element = h(
          "button",
          {
            type: "button",
            class: "cnnw-ho-mark",
            "data-index": mark.index,
            "aria-pressed": String(on),
            "aria-label": mark.label,
            onclick: () => assign(model, "marked", mark.index),
          },
          h("span", { dir: "auto" }, mark.label),
        );
        put(element, mark.box);
        element.classList.toggle("is-high", mark.box[0] * 12 < stage.size()[0]);
        return element;
      }),
    );
    if (focused >= 0) (boxes.children[focused] as HTMLElement | undefined)?.focus();
  }

  function paintRegion(): void {
    const region = model.get("region");
    const box = drawing ?? (region.length === 4 ? (region as unknown as Box) : null);
    frame.hidden = !box;
    if (box) put(frame, box);
    const inside = segment?.arrays["inside"];
    const [height = 0, width = 0] = inside?.shape ?? [];
    area.hidden = !inside || drawing !== null || region.length !== 2;
    if (!inside || area.hidden) return;
    [area.height, area.width] = [height, width];
    const image = new ImageData(width, height);
    const within = inside.data as Uint8Array;
    const line = outline(within, [height, width]);
    // White along its inside and black along its outside, so that it is seen on any ground; the map keeps its colours.
    const beyond = outline(
      within.map((one) => 1 - one),
      [height, width],
    );
    for (let at = 0; at < line.length; at++) {
      if (line[at]) image.data.set([255, 255, 255, 255], 4 * at);
      else if (beyond[at] && touches(within, at, width)) image.data.set([0, 0, 0, 255], 4 * at);
    }
    area.getContext("2d")?.putImageData(image, 0, 0);
  }

  function paint(): void {
    words.textContent = model.get("explains");
    sentence.hidden = words.textContent === "";
    hint.textContent =
      model.get("picking") === "marks" && !model.get("marks").length ? "" : HINTS[model.get("picking")];
    whole.hidden = model.get("region").length === 0;
    stage.element.classList.toggle("is-region", model.get("picking") === "region");
    paintMarks();
    paintRegion();
  }

  const under = (event: PointerEvent) =>
    pixelAt(event.clientX, event.clientY, stage.map.getBoundingClientRect(), stage.size());
  const stop = () => {
    begun = drawing = null;
    paintRegion();
  };
  stage.map.addEventListener("pointerdown", (event) => {
    if (model.get("picking") === "none" || event.button !== 0) return;
    begun = { pixel: under(event), x: event.clientX, y: event.clientY };
    stage.map.setPointerCapture(event.pointerId);
  });
  stage.map.addEventListener("pointermove", (event) => {
    if (!begun || model.get("picking") !== "region") return;
    const far = Math.hypot(event.clientX - begun.x, event.clientY - begun.y) >= STILL;
    if (!far && !drawing) return;
    drawing = boxBetween(begun.pixel, under(event));
    paintRegion();
  });
  stage.map.addEventListener("pointerup", (event) => {
    if (!begun) return;
    const [box, pixel] = [drawing, under(event)];
    stop();
    if (box) pick([...box]);
    else take(pixel);
  });
  stage.map.addEventListener("pointercancel", stop);
  let corner: Pixel | null = null;
  stage.map.addEventListener("keydown", (event) => {
    const at = stage.at();
    if (model.get("picking") === "none") return;
    if (event.key === "Enter" && at && event.shiftKey && model.get("picking") === "region") {
      if (corner) pick([...boxBetween(corner, at)]);
      corner = corner ? null : at;
    } else if (event.key === "Enter" && at) take(at);
    else if (event.key === "Escape") {
      corner = null;
      if (begun) stop();
      else pick([]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });

  const offs = [
    watch(model, ["explains", "picking", "marks", "marked", "region"], paint),
    subscribe(model, "segment", (data) => {
      segment = data;
      paintRegion();
    }),
  ];
  return { element: sentence, paint, stop: () => offs.forEach((off) => off()) };
}
