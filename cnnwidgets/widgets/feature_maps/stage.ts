/** The large map with what reads it: the value under the pointer, or under the keyboard's marker. */
import { h } from "../_shared/dom";
import { number } from "../_shared/format";
import { drawLarge, type Look, ratio, rectOf } from "./large";
import { levelsOf, valueOf } from "./maps";
import type { View } from "./view";

const HINT = "Point at the map to read a value.";

export interface Stage {
  element: HTMLElement;
  canvas: HTMLCanvasElement;
  draw: (view: View, channel: number, look: Look) => void;
}

export function makeStage(): Stage {
  const canvas = h("canvas", { class: "fm-large", role: "img", tabindex: 0 });
  const marker = h("div", { class: "fm-marker", hidden: true });
  const reading = h("p", { class: "fm-reading", role: "status" }, HINT);
  const frame = h("div", { class: "fm-frame" }, canvas, marker);
  const element = h("div", { class: "fm-stage" }, frame, reading);
  let shown: { view: View; channel: number; picture: unknown } | null = null;
  let [row, column] = [-1, -1];

  function read(toRow: number, toColumn: number) {
    if (!shown) return;
    const { maps } = shown.view;
    row = Math.min(maps.height - 1, Math.max(0, toRow));
    column = Math.min(maps.width - 1, Math.max(0, toColumn));
    marker.hidden = false;
    const [left, top, across, down] = rectOf(maps, shown.picture, 100, 100);
    marker.style.left = `${left + (column / maps.width) * across}%`;
    marker.style.top = `${top + (row / maps.height) * down}%`;
    marker.style.width = `${across / maps.width}%`;
    marker.style.height = `${down / maps.height}%`;
    const level = levelsOf(maps, shown.channel)[row * maps.width + column] ?? 255;
    const value = valueOf(maps, shown.channel, level);
    const text = Number.isNaN(value) ? "NaN or infinite" : `≈ ${number(value)}`;
    reading.textContent = `${text} at row ${row}, column ${column}`;
    reading.title = "Rounded to 1/254 of the map's range";
  }

  function forget() {
    marker.hidden = true;
    [row, column] = [-1, -1];
    reading.textContent = HINT;
    reading.title = "";
  }

  canvas.addEventListener("pointermove", (event) => {
    if (!shown) return;
    const box = canvas.getBoundingClientRect();
    const { maps } = shown.view;
    const [left, top, across, down] = rectOf(maps, shown.picture, box.width, box.height);
    const toRow = Math.floor(((event.clientY - box.top - top) / down) * maps.height);
    const toColumn = Math.floor(((event.clientX - box.left - left) / across) * maps.width);
    if (toRow < 0 || toColumn < 0 || toRow >= maps.height || toColumn >= maps.width) {
      forget();
      reading.textContent = "Outside of the map";
    } else read(toRow, toColumn);
  });
  canvas.addEventListener("pointerleave", forget);
  canvas.addEventListener("blur", forget);
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    if (row < 0) read(0, 0);
    else read(row + (step[0] ?? 0), column + (step[1] ?? 0));
  });

  return {
    element,
    canvas,
    draw: (view, channel, look) => {
      const sameSize = shown?.view.maps.height === view.maps.height && shown.view.maps.width === view.maps.width;
      shown = { view, channel, picture: look.picture };
      drawLarge(canvas, view, channel, look);
      const tall = ratio(view.maps, look.picture);
      frame.style.maxWidth = tall > 1 ? `${Math.round(306 / tall)}px` : "";
      canvas.setAttribute(
        "aria-label",
        `Channel ${channel} of ${view.maps.layer}, ${view.maps.height} × ${view.maps.width}. Arrow keys read values.`,
      );
      if (row >= 0 && sameSize) read(row, column);
      else forget();
    },
  };
}
