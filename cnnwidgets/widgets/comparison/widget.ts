/** "Compare": a grid of maps over one photograph, and what to put in it. */
import {
  COLOURING,
  ColourMenu,
  clipSlider,
  colourMapOf,
  opacitySlider,
  signChoices,
  signControl,
} from "../_maps/controls";
import { heatOf } from "../_maps/heat";
import { photoCanvas, photoOf } from "../_maps/photo";
import type { Size } from "../_maps/resample";
import { everyFrame, h, menu, panelHeading, setText } from "../_shared/dom";
import { fileName, type Png, SaveButton, titleOf } from "../_shared/png";
import { entry, type Link, RootView } from "../_shared/view";
import { Choices } from "./choices";
import { type CellLook, type CellResult, GridView, type ShownCell, scaledMapOf } from "./grid";
import { GridSheet } from "./save";
import {
  type CellContent,
  type ComparisonState,
  type GridContent,
  type Mode,
  type Remark,
  scalesOf,
  wordsOf,
} from "./scales";
import "./widget.css";

const MODES = [
  ["method", "Scale per method"],
  ["own", "Scale per map"],
  ["all", "One scale for all"],
] as const;
const SHARED = "Which maps have one scale, so that their colours can be compared";
const CLIP = "Percent of an input gradient's places, the largest, that all get the largest colour";
const POSITIVE = { label: "Positive", title: "Evidence for the class; of an input gradient its magnitude" };

export function looks(link: Link<ComparisonState>, sheet: () => Png): HTMLElement {
  const sign = signControl(link);
  const scale = menu("Scale", MODES, link.get("scale"), (value) => link.set("scale", value as Mode), SHARED);
  const colours = new ColourMenu(link);
  const save = new SaveButton(sheet, "Save the grid with its headings and scales as PNG");
  const line = h("div", { class: "cnnw-row" }, scale, colours.element, save.element);
  const sliders = [opacitySlider(link), clipSlider(link, CLIP)].map(({ element }) => element);
  link.watch(["sign", "scale", "colormap", "diverging"], () => {
    sign.update(signChoices(POSITIVE), link.get("sign"));
    scale.value = link.get("scale");
    colours.update(link.get("sign"));
  });
  return h("div", { class: "cnnw-stack cnnw-cmp-looks" }, sign.element, ...sliders, line);
}

const LOOKS = [...COLOURING, "scale", "busy", "methods"] as const;

/** The rows (methods), then the columns (layers or classes) and what all maps explain. */
export function comparedIn({ rows, columns, caption }: GridContent): string[] {
  const [methods, others] = [rows.map(({ label }) => label), columns.filter(Boolean)];
  return [methods.join(", "), others.join(", "), caption];
}

const CAPTION = "The photograph, how much of it the network sees, and the class that is explained";

class ComparisonView extends RootView<ComparisonState> {
  #photo: HTMLCanvasElement | null = null;
  #grid: GridContent = { id: 0, rows: [], columns: [], caption: "" };
  #results: (CellResult | null)[][] = [];
  /** Of the cells that are listened to. */
  readonly #kinds = new Set<string>();
  readonly #frame = everyFrame(() => this.#paint());
  readonly #caption = h("span", { class: "cnnw-aside cnnw-cut", dir: "auto" });
  readonly #looks = looks(this.link, () => this.#sheet());
  readonly #view = new GridView();
  readonly #empty = h("div", { class: "cnnw-empty" });
  readonly #remarks = h("div", { class: "cnnw-cmp-words" });

  constructor(link: Link<ComparisonState>, el: HTMLElement) {
    super(link, el);
    const parts = [new Choices(link).element, this.#looks, this.#view.element, this.#remarks, this.#empty];
    const heading = panelHeading("Compare", this.#caption);
    el.append(h("div", { class: "cnnw-stack cnnw-cmp-panel" }, heading, ...parts));
    link.onClose(this.#frame.cancel);
    link.receive("picture", (data) => {
      const photo = photoOf(data);
      this.#photo = photo && photoCanvas(photo);
      this.#frame.request();
    });
    link.receive("grid", (data) => this.#begin({ ...(data.content as unknown as GridContent), id: data.id }));
    link.watch(LOOKS, this.#frame.request);
  }

  #begin(grid: GridContent): void {
    this.#grid = grid;
    this.#results = grid.rows.map(({ single }) => (single ? [null] : grid.columns.map(() => null)));
    for (const [i, row] of this.#results.entries()) for (const j of row.keys()) this.#listenTo(i, j);
    this.#frame.request();
  }

  #listenTo(i: number, j: number): void {
    const kind = `cell:${i}:${j}`;
    if (this.#kinds.has(kind)) return;
    this.#kinds.add(kind);
    this.link.receive(kind, (data) => {
      const { grid, reason = "", notes = [], unit = "" } = data.content as unknown as CellContent;
      const row = this.#results[i];
      if (grid !== this.#grid.id || !row) return;
      row[j] = { heat: heatOf(data), reason, notes, unit };
      this.#frame.request();
    });
  }

  #cells(): ShownCell[][] {
    const [sign, clip] = [this.link.get("sign"), this.link.get("clip")];
    const maps = this.#results.map((row) => row.map((result) => scaledMapOf(result, sign, clip)));
    const scales = scalesOf(maps, this.link.get("scale"));
    return this.#results.map((row, i) =>
      row.map((result, j) => ({ result, map: maps[i]![j]!, scale: scales[i]![j]! })),
    );
  }

  #remarksOn(cells: readonly ShownCell[][]): Remark[] {
    const maps = cells.map((row) => row.map(({ map }) => map));
    const remarks = wordsOf(maps, this.link.get("scale"));
    if (cells.flat().some(({ result }) => (result?.heat?.channels ?? 0) > 1)) {
      const how = this.link.get("sign") === "positive" ? "the largest magnitude over" : "the sum of";
      remarks.push({ text: `Of input gradients ${how} the channels is shown.`, warn: false });
    }
    return remarks;
  }

  #look(): CellLook {
    const photo = this.#photo;
    const sign = this.link.get("sign");
    const heat = this.#results.flat().find((result) => result?.heat)?.heat;
    const size: Size = photo ? [photo.height, photo.width] : (heat?.size ?? [1, 1]);
    const [opacity, busy, bar] = [this.link.get("opacity"), this.link.get("busy"), this.link.get("scale") === "own"];
    return { sign, name: colourMapOf(this.link, sign), opacity, photo, size, busy, bar };
  }

  #paint(): void {
    const grid = this.#grid;
    const cells = this.#cells();
    const isEmpty = grid.rows.length === 0;
    setText(this.#caption, grid.caption);
    if (grid.caption) this.#caption.title += `\n${CAPTION}`;
    this.#view.element.hidden = this.#remarks.hidden = this.#looks.hidden = isEmpty;
    this.#empty.hidden = !isEmpty;
    const hint = this.#photo ? "Tick methods and layers or classes, and press Compare." : "No image yet";
    this.#empty.textContent = this.link.get("methods").length > 0 ? hint : "No maps yet";
    this.#view.update(grid, cells, this.#look(), this.link.get("scale"));
    const paragraphs = this.#remarksOn(cells).map(({ text, warn }) =>
      h("p", { class: warn ? "cnnw-warning is-warn" : "cnnw-soft cnnw-wrap" }, text),
    );
    this.#remarks.replaceChildren(...paragraphs);
    this.el.dataset["grid"] = String(grid.id);
    this.el.dataset["filled"] = String(this.#results.flat().filter(Boolean).length);
  }

  #sheet(): Png {
    this.#frame.cancel();
    this.#paint();
    const grid = this.#grid;
    const title = titleOf(this.link.model, "Compare", ...comparedIn(grid));
    const cells = this.#cells();
    const [look, mode, remarks] = [this.#look(), this.link.get("scale"), this.#remarksOn(cells)];
    const sheet = new GridSheet({ title, grid, cells, canvases: this.#view.canvases(), look, mode, remarks });
    return { canvas: sheet.finish(), name: fileName(...title) };
  }
}

export default entry<ComparisonState>("comparison", ComparisonView);
