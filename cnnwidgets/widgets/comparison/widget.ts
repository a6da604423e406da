/** "Compare": a grid of maps over one photograph, and what to put in it. */
import "../_shared/base.css";
import "../heatmap_overlay/controls.css";
import "./widget.css";
import { openChannel, subscribe } from "../_shared/channel";
import { everyFrame, h } from "../_shared/dom";
import { type Model, type RenderContext, watch } from "../_shared/model";
import { opaque } from "../_shared/paint";
import type { Png } from "../_shared/png";
import { shell } from "../_shared/shell";
import { fileName, titleOf } from "../_shared/title";
import type { Size } from "../heatmap_overlay/resample";
import { type Cell, cellOf, shownOf } from "./cell";
import { choices } from "./choices";
import { gridView } from "./grid";
import { colourMap, looks } from "./looks";
import { draw } from "./save";
import { scalesOf, wordsOf } from "./scales";
import type { Grid, State } from "./state";

const LOOKS = ["sign", "scale", "clip", "opacity", "colormap", "diverging", "busy"] as const;

function initialize({ model }: { model: Model<State> }): void {
  openChannel(model);
}

function pictureOf(pixels: Uint8Array, height: number, width: number): HTMLCanvasElement {
  const canvas = h("canvas", { width, height });
  canvas.getContext("2d")?.putImageData(new ImageData(opaque(pixels), width, height), 0, 0);
  return canvas;
}

function render({ model, el }: RenderContext<State>): () => void {
  const closeShell = shell(el, model, "comparison");
  let photo: HTMLCanvasElement | null = null;
  let grid: Grid = { id: 0, rows: [], columns: [], caption: "" };
  let cells: (Cell | null)[][] = [];
  let unsubscribe: (() => void)[] = [];

  const caption = h("span", { class: "cnnw-aside cnnw-cmp-caption", dir: "auto" });
  const heading = h("h3", { class: "cnnw-heading" }, h("span", {}, "Compare"), caption);
  const parts = [choices(model), looks(model, sheet)] as const;
  const view = gridView();
  const empty = h("div", { class: "cnnw-empty" });
  const words = h("div", { class: "cnnw-cmp-words" });
  el.append(
    h("div", { class: "cnnw-cmp-panel" }, heading, ...parts.map((part) => part.element), view.element, words, empty),
  );

  function seen() {
    const sign = model.get("sign");
    const shown = cells.map((row) => row.map((cell) => shownOf(cell, sign, model.get("clip"))));
    const mode = model.get("scale");
    const said = wordsOf(shown, mode);
    if (cells.flat().some((cell) => (cell?.heat?.channels ?? 0) > 1)) {
      const how = sign === "positive" ? "the largest magnitude over" : "the sum of";
      said.push({ text: `Of input gradients ${how} the channels is shown.`, warn: false });
    }
    return { shown, mode, scales: scalesOf(shown, mode), words: said };
  }

  const size = (): Size => {
    const first = cells.flat().find((cell) => cell?.heat)?.heat;
    return photo ? [photo.height, photo.width] : (first?.size ?? [1, 1]);
  };

  function paint(): void {
    const { shown, mode, scales, words: said } = seen();
    const some = grid.rows.length > 0;
    caption.textContent = caption.title = grid.caption;
    view.element.hidden = words.hidden = parts[1].element.hidden = !some;
    empty.hidden = some;
    const choosable = model.get("methods").length > 0;
    empty.textContent = !choosable
      ? "No maps yet"
      : photo
        ? "Tick methods and layers or classes, and press Compare."
        : "No image yet";
    const look = {
      sign: model.get("sign"),
      name: colourMap(model),
      opacity: model.get("opacity"),
      photo,
      size: size(),
    };
    view.update(grid, cells, shown, scales, { ...look, busy: model.get("busy"), bar: mode === "own" }, mode);
    words.replaceChildren(...said.map(({ text, warn }) => h("p", { class: warn ? "is-warn" : "" }, text)));
    el.dataset["grid"] = String(grid.id);
    el.dataset["filled"] = String(cells.flat().filter((cell) => cell).length);
  }

  function sheet(): Png {
    frame.cancel();
    paint();
    const { shown, mode, scales, words: said } = seen();
    const look = { sign: model.get("sign"), name: colourMap(model) };
    const title = titleOf(model, "Compare", grid.caption);
    const canvas = draw({
      title: title.join(" · "),
      grid,
      cells,
      shown,
      scales,
      canvases: view.canvases(),
      size: size(),
      mode,
      words: said,
      ...look,
    });
    return { canvas, name: fileName("compare", ...title.slice(1)) };
  }

  function listen(): void {
    unsubscribe.forEach((stop) => stop());
    unsubscribe = grid.rows.flatMap((row, i) =>
      (row.single ? [0] : grid.columns.map((_, j) => j)).map((j) =>
        subscribe(model, `cell:${i}:${j}`, (data) => {
          const cell = cellOf(data, grid.id);
          if (!cell) return;
          cells[i]![j] = cell;
          frame.request();
        }),
      ),
    );
  }

  const frame = everyFrame(paint);
  const stops = [
    subscribe(model, "picture", (data) => {
      const pixels = data.arrays["pixels"];
      const [height = 0, width = 0] = pixels?.shape ?? [];
      photo = pixels ? pictureOf(pixels.data as Uint8Array, height, width) : null;
      frame.request();
    }),
    subscribe(model, "grid", (data) => {
      const { rows, columns, caption: text } = data.content as unknown as Grid;
      grid = { id: data.id, rows, columns, caption: text };
      cells = rows.map((row) => (row.single ? [null] : columns.map(() => null)));
      listen();
      frame.request();
    }),
    watch(model, [...LOOKS, "methods"], frame.request),
  ];
  return () => {
    frame.cancel();
    stops.forEach((stop) => stop());
    unsubscribe.forEach((stop) => stop());
    parts.forEach((part) => part.stop());
    closeShell();
  };
}

export default { initialize, render };
