/** Over two networks: method, photograph, what both say, the classes of both beside each other, and where they part. */
import { type Points, plot, polyline } from "../_shared/chart";
import { h, menu, panelHeading, setText } from "../_shared/dom";
import { Progress, type ProgressState } from "../_shared/progress";
import { Segmented } from "../_shared/segmented";
import { entry, type Link, RootView } from "../_shared/view";
import "../_shared/frame.css";
import "./widget.css";

export interface PredictionBoardState extends ProgressState {
  names: string[];
  summaries: string[];
  pictures: string[];
  picture: string;
  methods: string[][];
  method: string;
  scale: "shared" | "own";
  target: number | null;
  sentences: string[];
  pairing: string;
  notes: string[];
}

/** A class in both networks; `index` is its number in the first one, null where that has no such class. */
export interface ClassRow {
  index: number | null;
  label: string;
  texts: [first: string, second: string, difference: string];
  bars: (number | null)[];
}

export interface LayersContent {
  layers?: string[];
  alike?: (number | null)[];
  apart?: (number | null)[];
}

const SCALES = [
  { value: "shared", label: "One scale", title: "Both maps in their own numbers, on the scale of the larger one" },
  { value: "own", label: "Each its own", title: "Each map in shares of its own largest number" },
];
const CKA =
  "Linear CKA of what the layer gives in both, over the places of this photograph: 1 the same but for rotation and size, 0 nothing in common";

/** A number from 0 to 1 with two digits; "–" where there is none. */
export const twoDigits = (value: number | null | undefined) => (typeof value === "number" ? value.toFixed(2) : "–");

/** A line of the chart: numbers of layers and their values, those without one left out. */
export function curveOf(values: readonly (number | null)[]): [x: number[], y: number[]] {
  const points = values.flatMap((value, layer) => (value === null ? [] : [[layer + 1, value] as const]));
  return [points.map(([x]) => x), points.map(([, y]) => y)];
}

class PredictionBoardView extends RootView<PredictionBoardState> {
  readonly #title = h("strong", { class: "pb-title cnnw-cut" });
  readonly #summary = h("span", { class: "cnnw-soft cnnw-figures cnnw-cut" });
  readonly #picture = menu("Photograph", [], "", (name) => this.link.set("picture", name), "Choose a photograph");
  readonly #method = menu("Method", [], "", (name) => this.link.set("method", name), "What makes both maps");
  readonly #scale = new Segmented("Scale of the maps", (scale) =>
    this.link.set("scale", scale as PredictionBoardState["scale"]),
  );
  readonly #progress = new Progress(this.link, "Progress");
  readonly #sentences = h("div", { class: "pb-sentences cnnw-wrap", role: "status" });
  readonly #pairing = h("p", { class: "cnnw-soft cnnw-wrap" });
  readonly #notes = h("div", { class: "cnnw-stack" });
  readonly #head = h("div", { class: "pb-row pb-head cnnw-soft cnnw-small", "aria-hidden": "true" });
  readonly #classes = h("div", { role: "list", "aria-label": "Classes of both networks" });
  readonly #layers = h("div", { class: "pb-layers" });
  #rows: ClassRow[] = [];

  constructor(link: Link<PredictionBoardState>, el: HTMLElement) {
    super(link, el);
    const tools = h("div", { class: "cnnw-row pb-tools" }, this.#picture, this.#method, this.#scale.element);
    const top = h("div", { class: "pb-line" }, this.#title, this.#summary, this.#progress.element, tools);
    const sentences = h("div", { class: "cnnw-stack" }, this.#sentences, this.#pairing, this.#notes);
    const table = h("div", { class: "pb-classes" }, panelHeading("What did they say?"), this.#head, this.#classes);
    el.append(top, h("div", { class: "pb-body" }, table, h("div", { class: "cnnw-stack" }, sentences, this.#layers)));
    link.receive("classes", ({ content }) => {
      this.#rows = (content["rows"] ?? []) as ClassRow[];
      this.#paintClasses();
    });
    link.receive("layers", ({ content }) => this.#paintLayers(content as LayersContent));
    this.#listen();
    link.whenInside(el, ".cnnw-network-comparison", (root) => link.showBusy(root));
  }

  #listen(): void {
    const { link } = this;
    link.watch(["names", "summaries"], () => {
      const [first = "", second = ""] = link.get("names");
      setText(this.#title, `${first} and ${second}`);
      setText(this.#summary, link.get("summaries").join(" and "));
      this.#head.replaceChildren(
        ...["", first, "", second, "", "points"].map((text) => h("span", { class: "cnnw-cut" }, text)),
      );
    });
    link.watch(["pictures", "picture"], () => {
      this.#picture.replaceChildren(...link.get("pictures").map((name) => h("option", { value: name }, name)));
      this.#picture.value = link.get("picture");
    });
    link.watch(["methods", "method"], () => {
      const options = link.get("methods").map(([name = "", label = name]) => h("option", { value: name }, label));
      this.#method.replaceChildren(...options);
      this.#method.value = link.get("method");
    });
    link.watch(["scale"], () => this.#scale.update(SCALES, link.get("scale")));
    link.watch(["target"], () => this.#paintClasses());
    link.watch(["progress", "progress_text"], () => {
      this.#progress.show(link.get("progress") !== null || link.get("progress_text") !== "");
      this.#progress.bar.hidden = this.#progress.cancel.hidden = link.get("progress") === null;
    });
    link.watch(["sentences", "pairing", "notes"], () => {
      this.#sentences.replaceChildren(...link.get("sentences").map((text) => h("p", {}, text)));
      this.#pairing.textContent = link.get("pairing");
      this.#notes.replaceChildren(...link.get("notes").map((text) => h("p", { class: "cnnw-warning" }, text)));
    });
  }

  #paintClasses(): void {
    const focused = [...this.#classes.querySelectorAll("button")].indexOf(document.activeElement as HTMLButtonElement);
    this.#classes.replaceChildren(...this.#rows.map((row) => h("div", { role: "listitem" }, this.#class(row))));
    this.#classes.querySelectorAll("button")[focused]?.focus();
  }

  #class({ index, label, texts, bars }: ClassRow): HTMLElement {
    const { link } = this;
    const [first = "", second = ""] = link.get("names");
    const track = (value: number | null | undefined) => {
      const bar = h("i");
      bar.style.width = `${100 * Math.min(value ?? 0, 1)}%`;
      return h("span", { class: "cnnw-track" }, typeof value === "number" && bar);
    };
    const figure = (text: string) => h("span", { class: "cnnw-soft cnnw-figures" }, text);
    const spoken = (text: string) => h("span", { class: "cnnw-spoken" }, text);
    const own = {
      type: "button",
      class: "cnnw-plain pb-row",
      "data-class": index ?? undefined,
      disabled: index === null,
      title: index === null ? `${first} has no class of this name` : `Explain \u2068${label}\u2069 in both`,
      onclick: () => link.set("target", index),
      "aria-pressed": index === null ? undefined : String(index === link.get("target")),
    };
    return h(
      "button",
      own,
      h("bdi", { class: "cnnw-cut" }, label),
      h("span", { class: "pb-pair" }, spoken(`, ${first} `), track(bars[0])),
      figure(texts[0]),
      h("span", { class: "pb-pair" }, spoken(`, ${second} `), track(bars[1])),
      figure(texts[1]),
      h("b", { class: "cnnw-figures" }, texts[2] && spoken(", difference "), texts[2]),
    );
  }

  #paintLayers(content: LayersContent): void {
    const { layers = [], alike = [], apart = [] } = content;
    this.#layers.hidden = layers.length === 0;
    if (layers.length === 0) {
      this.#layers.replaceChildren();
      return;
    }
    const curves = (points: Points) => [
      polyline("pb-alike", points(...curveOf(alike))),
      polyline("pb-apart", points(...curveOf(apart))),
    ];
    const under = [...new Set([1, layers.length])].map((number) => [number, `layer ${number}`] as const);
    const name = "How alike each layer is in both, from the first to the last";
    const ticks = apart.some((value) => value !== null && value > 1) ? [0, 1, 2] : [0, 0.5, 1];
    const chart = plot("pb", name, { ticks, ends: [1, layers.length] }, curves, under);
    const key = (kind: string) => h("i", { class: `pb-key ${kind}` });
    const legend = h("span", { class: "cnnw-soft" }, key(""), "linear CKA", key("is-apart"), "relative difference");
    const cells = layers.map((layer, at) => {
      const click = () => this.link.command("layer", { name: layer });
      const press = h("button", { type: "button", class: "cnnw-plain pb-layer", onclick: click }, layer);
      return h("tr", {}, h("td", {}, press), h("td", {}, twoDigits(alike[at])), h("td", {}, twoDigits(apart[at])));
    });
    const heads = [
      ["layer", "A click shows it in both"],
      ["CKA", CKA],
      ["difference", "The size of the difference over that of the larger of the two outputs: 0 the same, up to 2"],
    ] as const;
    const head = h("tr", {}, ...heads.map(([text, title]) => h("th", { scope: "col", title }, text)));
    const table = h("table", { class: "cnnw-figures" }, h("thead", {}, head), h("tbody", {}, ...cells));
    const region = h("div", { class: "pb-table", tabindex: 0, role: "region", "aria-label": "All layers" }, table);
    const open = this.#layers.querySelector("details")?.open ?? false;
    this.#layers.replaceChildren(
      h("figure", {}, h("figcaption", { class: "cnnw-small", title: CKA }, name, ": ", legend), chart),
      h(
        "details",
        { class: "cnnw-fold", open },
        h("summary", { title: "The numbers of each layer" }, "All layers"),
        region,
      ),
    );
  }
}

export default entry<PredictionBoardState>("prediction-board", PredictionBoardView);
