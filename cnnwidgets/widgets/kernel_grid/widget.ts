/** Kernels: the grid of filters, and the selected one large. */
import { DIVERGING, gradient, isColormap } from "../_maps/colormaps";
import { claim, everyFrame, h, menu, putImage } from "../_shared/dom";
import { number } from "../_shared/format";
import { SaveButton } from "../_shared/png";
import { type Data, entry, type Link, RootView } from "../_shared/view";
import { passWheelOn } from "../_shared/wheel";
import { barTexts, filterCell, marksOf, reading } from "./cell";
import {
  type KernelGridState,
  type Kernels,
  largest,
  ordered,
  paintFilter,
  readKernels,
  type Tiling,
  tiling,
} from "./kernels";
import { kernelSheet } from "./save";
import "./widget.css";

const SORTS = [
  ["index", "by index"],
  ["norm", "by norm"],
] as const;
const SCALES = [
  ["filter", "scale per filter"],
  ["layer", "scale per layer"],
] as const;
const KEYS = { ArrowLeft: -1, ArrowRight: 1, Home: Number.NEGATIVE_INFINITY, End: Number.POSITIVE_INFINITY };
const ALL = "all";

const WEIGHTS = "the weights by which each filter multiplies what comes from the layer before";

class KernelGridView extends RootView<KernelGridState> {
  #kernels: Kernels | null = null;
  #tiles: Tiling | null = null;
  #order: number[] = [];
  /** The filter that the keyboard is at. */
  #active = 0;
  readonly #cells = new Map<number, { element: HTMLElement; canvas: HTMLCanvasElement }>();
  readonly #title = h("span", { class: "kg-title cnnw-cut" });
  readonly #facts = h("span", { class: "cnnw-aside" });
  readonly #notes = h("div");
  readonly #grid = h("div", { class: "kg-grid", role: "listbox", "aria-label": "Filters" });
  readonly #reading = h("p", { class: "kg-reading cnnw-figures", "aria-live": "off" });
  readonly #ramp = h("div", { class: "kg-ramp" });
  readonly #ends = h("div", { class: "cnnw-ends cnnw-small cnnw-soft" });
  readonly #bar = h("div", { class: "kg-bar" }, this.#ramp, this.#ends);
  readonly #large = h("canvas", { class: "kg-large" });
  readonly #about = h("p", { class: "kg-about cnnw-wrap", role: "status" });
  readonly #detail = h("div", { class: "kg-detail" }, this.#large, this.#about);
  readonly #empty = h("p", { class: "cnnw-empty", role: "status" }, "No kernels yet.");
  readonly #menus = {
    sort: menu("Sort", SORTS, this.link.get("sort"), (value) => this.link.set("sort", value as "index")),
    scale: menu("Scale", SCALES, this.link.get("scale"), (value) => this.link.set("scale", value as "filter")),
    colormap: menu("Colour map", DIVERGING, this.link.get("colormap"), (value) =>
      this.link.set("colormap", value as KernelGridState["colormap"]),
    ),
  };
  readonly #inputs = menu("Input channel", [[ALL, "all inputs"]], ALL, (value) =>
    this.link.set("input", value === ALL ? null : Number(value)),
  );
  readonly #save = new SaveButton(() => this.#sheet(), "Save the kernels as a PNG");
  readonly #menuBar = h("span", { class: "kg-menus" });
  readonly #body = h("div", { class: "kg-body" });

  constructor(link: Link<KernelGridState>, el: HTMLElement) {
    super(link, el);
    this.#menuBar.append(this.#inputs, ...Object.values(this.#menus), this.#save.element);
    const left = h("div", { class: "kg-main" }, this.#grid, this.#reading, this.#bar);
    this.#body.append(left, this.#detail);
    const heading = h("div", { class: "cnnw-heading" }, this.#title, this.#facts, this.#menuBar);
    el.append(h("div", { class: "kg-root" }, heading, this.#notes, this.#empty, this.#body));
    this.#title.textContent = "Kernels";
    this.#open();
    this.#listen();
  }

  #listen(): void {
    const { link, el } = this;
    const painting = everyFrame(() => this.#paint());
    link.receive("kernels", (data) => this.#onKernels(data));
    link.watch(["sort", "scale", "colormap", "input"], () => {
      for (const [name, select] of Object.entries(this.#menus)) select.value = link.get(name as "sort");
      this.#inputs.value = String(link.get("input") ?? ALL);
      painting.request();
    });
    link.watch(["channel"], () => this.#select());
    this.#grid.addEventListener("click", (event) => this.#onClick(event));
    this.#grid.addEventListener("keydown", (event) => this.#onKey(event));
    for (const part of [this.#grid, this.#large]) {
      part.addEventListener("pointermove", (event) => this.#onMove(event as PointerEvent));
      part.addEventListener("pointerleave", () => this.#read(""));
    }
    passWheelOn(this.#grid);
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || link.get("channel") === null) return;
      link.set("channel", null);
      claim(event);
    };
    el.addEventListener("keydown", onKey);
    link.onClose(() => {
      el.removeEventListener("keydown", onKey);
      painting.cancel();
    });
  }

  #onKernels(data: Data): void {
    const kernels = readKernels(data);
    this.#kernels = kernels;
    this.#open();
    this.#title.replaceChildren("Kernels", kernels?.layer ? " of " : "", h("bdi", {}, kernels?.layer));
    this.#title.title = `${this.#title.textContent}: ${WEIGHTS}`;
    this.#facts.textContent = kernels?.facts ?? "";
    const notes = kernels?.notes ?? [];
    this.#notes.replaceChildren(...notes.map((note) => h("p", { class: "kg-note cnnw-warning" }, note)));
    const several = Array.from({ length: kernels?.inputs ?? 0 }, (_, i) => h("option", { value: i }, `input ${i}`));
    const all = kernels?.coloured ? "inputs as colours" : "all inputs";
    this.#inputs.replaceChildren(h("option", { value: ALL }, all), ...several);
    this.#inputs.value = String(this.link.get("input") ?? ALL);
    this.#inputs.hidden = several.length < 2;
    this.#paint();
    this.#select();
    this.el.dataset["painted"] = kernels?.layer ?? "";
  }

  #open(): void {
    const empty = this.#kernels === null;
    this.#empty.hidden = !empty;
    this.#body.hidden = this.#menuBar.hidden = empty;
    this.#save.allow(!empty);
  }

  #input(): number | null {
    const input = this.link.get("input");
    return this.#kernels && input !== null && input < this.#kernels.inputs ? input : null;
  }

  #limit(position: number): number {
    const kernels = this.#kernels!;
    return largest(kernels, this.#input(), this.link.get("scale") === "layer" ? null : position);
  }

  #image(position: number, limit = this.#limit(position)): ImageData {
    return paintFilter(this.#kernels!, this.#tiles!, position, limit, this.link.get("colormap"));
  }

  #paint(): void {
    const kernels = this.#kernels;
    if (!kernels || !isColormap(this.link.get("colormap"))) return;
    this.#tiles = tiling(kernels, this.#input());
    this.#order = ordered(kernels, this.link.get("sort"));
    const common = this.link.get("scale") === "layer" ? largest(kernels, this.#input(), null) : null;
    const longest = Math.max(...Array.from(kernels.norms).filter(Number.isFinite), 0) || 1;
    this.#cells.clear();
    const cells = this.#order.map((position, rank) => {
      const image = this.#image(position, common ?? largest(kernels, this.#input(), position));
      const cell = filterCell(kernels, position, rank, image, longest);
      this.#cells.set(kernels.filters[position]!, cell);
      return cell.element;
    });
    this.#grid.replaceChildren(...cells);
    this.#paintBar(kernels, common);
    this.#select();
  }

  #paintBar(kernels: Kernels, common: number | null): void {
    const mixed = this.#tiles?.mixed ?? false;
    this.#ramp.hidden = mixed;
    this.#ramp.style.background = gradient(this.link.get("colormap"));
    this.#ends.replaceChildren(...barTexts(common, mixed).map((label) => h("span", {}, label)));
    this.#menus.colormap.hidden = mixed;
    this.#bar.classList.toggle("kg-mixed", mixed);
    this.#grid.classList.toggle("kg-signal", kernels.signal);
  }

  #select(): void {
    const kernels = this.#kernels;
    const channel = this.link.get("channel");
    if (!kernels || !this.#tiles) return;
    const cell = channel === null ? undefined : this.#cells.get(channel);
    if (cell) this.#active = this.#order.indexOf(Number(cell.element.dataset["position"]));
    this.#active = Math.min(this.#active, this.#order.length - 1);
    for (const [filter, { element }] of this.#cells) element.ariaSelected = String(filter === channel);
    this.#rove();
    this.#detail.hidden = !cell;
    if (!cell) return;
    cell.element.scrollIntoView({ block: "nearest" });
    const position = Number(cell.element.dataset["position"]);
    this.#large.dataset["position"] = String(position);
    putImage(this.#large, this.#image(position));
    const facts = [`norm ${number(kernels.norms[position]!)}`, `largest weight ${number(this.#own(position))}`];
    this.#about.textContent = [`Filter ${channel}: ${facts.join(", ")}`, ...marksOf(kernels, channel!)].join("; ");
  }

  #own(position: number): number {
    return largest(this.#kernels!, this.#input(), position);
  }

  /** Tab stops at the active filter alone. */
  #rove(): void {
    for (const [i, position] of this.#order.entries()) {
      const cell = this.#cells.get(this.#kernels!.filters[position]!);
      if (cell) cell.element.tabIndex = i === this.#active ? 0 : -1;
    }
  }

  #onClick(event: MouseEvent): void {
    const cell = (event.target as Element).closest<HTMLElement>("[data-channel]");
    if (!cell) return;
    this.link.set("channel", Number(cell.dataset["channel"]));
    cell.focus({ preventScroll: true });
  }

  #onKey(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey || this.#order.length === 0) return;
    if (event.key === "Enter" || event.key === " ") {
      this.link.set("channel", this.#kernels!.filters[this.#order[this.#active]!]!);
      claim(event);
      return;
    }
    const [first, second] = [...this.#grid.children] as HTMLElement[];
    const across = second
      ? [...this.#grid.children].filter((c) => (c as HTMLElement).offsetTop === first!.offsetTop).length
      : 1;
    const rows = { ArrowUp: -across, ArrowDown: across };
    const by = { ...KEYS, ...rows }[event.key];
    if (by === undefined) return;
    this.#active = Math.max(0, Math.min(this.#order.length - 1, this.#active + by));
    this.#rove();
    (this.#grid.children[this.#active] as HTMLElement).focus();
    claim(event);
  }

  #onMove(event: PointerEvent): void {
    const canvas = event.target instanceof HTMLCanvasElement ? event.target : null;
    const holder = canvas?.closest<HTMLElement>("[data-position]");
    if (!canvas || !holder || !this.#kernels || !this.#tiles) {
      this.#read("");
      return;
    }
    const box = canvas.getBoundingClientRect();
    // The picture is fitted into its box: "contain".
    const factor = Math.min(box.width / canvas.width, box.height / canvas.height);
    const x = Math.floor((event.clientX - box.left - (box.width - canvas.width * factor) / 2) / factor);
    const y = Math.floor((event.clientY - box.top - (box.height - canvas.height * factor) / 2) / factor);
    this.#read(reading(this.#kernels, this.#tiles, Number(holder.dataset["position"]), x, y));
  }

  #read(text: string): void {
    this.#reading.textContent = text;
  }

  #sheet() {
    const kernels = this.#kernels;
    if (!kernels) return null;
    const limit = this.link.get("scale") === "layer" ? largest(kernels, this.#input(), null) : null;
    const labels = barTexts(limit, this.#tiles?.mixed ?? false);
    const pictures = this.#order.map((position) => ({
      canvas: this.#cells.get(kernels.filters[position]!)!.canvas,
      name: `${kernels.filters[position]}${kernels.dead.has(kernels.filters[position]!) ? " dead" : ""}`,
    }));
    return kernelSheet(this.link, kernels, pictures, this.#tiles?.mixed ? null : this.link.get("colormap"), labels);
  }
}

export default entry<KernelGridState>("kernel-grid", KernelGridView);
