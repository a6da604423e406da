/** A training: pause, resume and stop, the slider back through its steps, and its numbers in a table. */
import { marks, type Points, plot, polyline } from "../_shared/chart";
import { button, h, menu, tell } from "../_shared/dom";
import { Slider } from "../_shared/slider";
import { type BaseState, type Data, entry, type Link, RootView } from "../_shared/view";
import "./widget.css";

export interface TrainingControlsState extends BaseState {
  layer: string;
  state: "ready" | "running" | "paused" | "stopped";
  headline: string;
  steps: number[];
  labels: string[];
  at: number | null;
  images: string[];
  image: number;
  notes: string[];
}

const SENTENCES: Record<TrainingControlsState["state"], string> = {
  ready: "No step yet: run the cell with the training loop.",
  running: "",
  paused: "Paused: the training waits at its next step.",
  stopped: "Stopped: the next step returns False, and the loop ends if it heeds that. Resume lets it go on.",
};

/** Where among `steps` the slider stands: at the last for null, the newest; else at `at` or the last before it. */
export function placeOf(steps: readonly number[], at: number | null): number {
  if (at === null) return Math.max(0, steps.length - 1);
  return Math.max(0, steps.filter((step) => step <= at).length - 1);
}

/** What `at` is once the slider stands at `index`: null at its end, where each new step is followed. */
export function stepAt(steps: readonly number[], index: number): number | null {
  return index >= steps.length - 1 ? null : (steps[index] ?? null);
}

export interface NumberTable {
  head?: string[];
  body?: string[][];
  every?: number;
}

/** What the table leaves out. */
export function caption({ every = 1 }: NumberTable): string {
  return every > 1 ? `The numbers of each ${every}. step, the newest last` : "The numbers of each step";
}

/** What a "charts" push holds of each. */
export interface TrainingChart {
  heading: string;
  ticks: number[];
  ends: [first: number, last: number];
  lines: { held_out: boolean; x: number[]; y: number[] }[];
}

/** Of more points than these, marks would be a band. */
const MOST_MARKED = 60;

export function trainingChart({ heading, ticks, ends, lines }: TrainingChart): HTMLElement {
  const curves = (points: Points) =>
    lines.flatMap(({ held_out, x, y }) => {
      const [line, name] = [points(x, y), held_out ? "tb-held-out" : "tb-learned"];
      return [polyline(name, line), x.length <= MOST_MARKED && marks(`${name} tb-marks`, line)];
    });
  const numbers = ends[0] === ends[1] ? ends.slice(1) : ends;
  const under = numbers.map((end) => [end, rounded(end)] as const);
  return h(
    "figure",
    {},
    h("figcaption", { class: "cnnw-small" }, heading),
    plot("tb", heading, { ticks, ends }, curves, under),
  );
}

const rounded = (value: number) => String(Number(value.toPrecision(4)));

class TrainingControlsView extends RootView<TrainingControlsState> {
  readonly #headline = h("p", { class: "tb-headline cnnw-figures cnnw-wrap" });
  readonly #pause = button("Pause", () => this.link.command("pause"), {
    title: "Let the training wait at its next step",
  });
  readonly #resume = button("Resume", () => this.link.command("resume"), { title: "Let the training go on" });
  readonly #stop = button("Stop", () => this.link.command("stop"), { title: "End the training at its next step" });
  readonly #status = h("span", { class: "cnnw-soft", role: "status" });
  readonly #slider = new Slider("Look back", 0, (index) => this.#go(index));
  readonly #newest = button("Newest", () => this.link.set("at", null), { title: "Follow the training again" });
  readonly #image = menu("Image", [], "", (value) => this.link.set("image", Number(value)), "Whose maps are shown");
  readonly #notes = h("ul", { class: "tb-notes cnnw-soft cnnw-wrap" });
  readonly #charts = h("div", { class: "tb-charts" });
  readonly #table = h("table");
  readonly #fold = h(
    "details",
    { class: "cnnw-fold" },
    h("summary", { title: "The numbers of the training, in a table" }, "All numbers"),
    h("div", { class: "tb-table", tabindex: 0, role: "region", "aria-label": "All numbers" }, this.#table),
  );

  constructor(link: Link<TrainingControlsState>, el: HTMLElement) {
    super(link, el);
    const buttons = h("div", { class: "cnnw-row" }, this.#pause, this.#resume, this.#stop, this.#status);
    this.#slider.element.classList.add("tb-slider");
    this.#slider.element.title = "Maps and kernels as they were; at its end the slider follows the training";
    const back = h("div", { class: "cnnw-row" }, this.#slider.element, this.#newest, this.#image);
    el.append(h("div", { class: "cnnw-stack" }, this.#headline, buttons, this.#notes, this.#charts, this.#fold, back));
    link.watch(["state", "headline", "notes"], () => this.#paint());
    link.watch(["steps", "labels", "at"], () => this.#paintSlider());
    link.watch(["images", "image"], () => this.#paintImages());
    link.receive("charts", ({ content }) => {
      const charts = (content["charts"] ?? []) as TrainingChart[];
      this.#charts.replaceChildren(...charts.map(trainingChart));
    });
    link.receive("table", (data) => this.#paintTable(data));
  }

  #go(index: number): void {
    this.link.set("at", stepAt(this.link.get("steps"), index));
  }

  #paint(): void {
    const { link } = this;
    const state = link.get("state");
    tell(this.#headline, link.get("headline"));
    this.#pause.disabled = state === "paused" || state === "stopped";
    this.#resume.disabled = !this.#pause.disabled;
    this.#stop.disabled = state === "stopped";
    this.#status.textContent = SENTENCES[state];
    const notes = link.get("notes").map((note) => h("li", {}, note));
    this.#notes.replaceChildren(...notes);
    this.#notes.hidden = notes.length === 0;
    this.el.dataset["state"] = state;
  }

  #paintSlider(): void {
    const { link } = this;
    const [steps, at] = [link.get("steps"), link.get("at")];
    const index = placeOf(steps, at);
    const label = link.get("labels")[index] ?? "";
    this.#slider.update(index, Math.max(0, steps.length - 1), label, at === null ? `${label}, the newest` : label);
    this.#slider.disable(steps.length < 2);
    this.#newest.disabled = at === null;
  }

  #paintImages(): void {
    const names = this.link.get("images");
    this.#image.replaceChildren(...names.map((name, index) => h("option", { value: index }, name)));
    this.#image.value = String(this.link.get("image"));
    this.#image.hidden = names.length < 2;
  }

  #paintTable({ content }: Data): void {
    const { head = [], body = [] } = content as NumberTable;
    const row = ([first = "", ...rest]: string[]) =>
      h("tr", {}, h("th", { scope: "row" }, first), ...rest.map((text) => h("td", {}, text)));
    this.#table.replaceChildren(
      h("caption", {}, caption(content as NumberTable)),
      h("thead", {}, h("tr", {}, ...head.map((text) => h("th", { scope: "col" }, text || "when")))),
      h("tbody", {}, ...body.map(row)),
    );
  }
}

export default entry<TrainingControlsState>("training-controls", TrainingControlsView);
