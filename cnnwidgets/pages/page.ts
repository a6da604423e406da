/** A saved page: the widgets as they are in a notebook, and what was recorded in place of the kernel. */
import { h } from "../widgets/_shared/dom";
import { PageModel, type Push, type Shots } from "./model";
import { read, unpacked } from "./unpack";
import "./page.css";

const NEEDS = "needs a running kernel: open the network in a notebook.";

interface Photograph {
  name: string;
  /** The class with the highest score, and the one to begin with; −1: a function is explained. */
  first: number;
  start: number;
  classes: number[];
  /** How many classes more there are with their class activation map alone. */
  others: number;
  /** What can be clicked in the graph -> the number of its layer, or why there are no maps of it. */
  aliases: Record<string, number | string>;
}

interface Story {
  photographs: Photograph[];
  layers: string[];
  methods: string[];
  overlay_layers: string[];
  layer: number;
  method: number;
}

interface Told {
  story: Story;
  widgets: Record<Name, Shots>;
  pushes: Push[];
  arrays: {
    dtype: "uint8" | "int32" | "float32" | "float64";
    count: number;
    exponent?: number;
    digits?: 2 | 3;
    stride?: number;
  }[];
}

const NAMES = ["bar", "graph", "overlay", "scores", "maps"] as const;
type Name = (typeof NAMES)[number];

interface Widget {
  initialize(context: { model: PageModel }): void;
  render(context: { model: PageModel; el: HTMLElement }): void;
}

/** What the widgets' scripts, which come before this one, have left. */
const { cnnwPage } = globalThis as unknown as { cnnwPage: Record<Name, Widget> };

class Page {
  readonly #story: Story;
  readonly #models: Record<Name, PageModel>;
  #photograph = 0;
  #target: number;
  #method: number;
  #layer: number;
  /** Of the overlay, which may be pinned to another one. */
  #overlayLayer: number;

  constructor({ told, whole }: { told: Told; whole: (parts: readonly number[]) => ArrayBuffer }) {
    this.#story = told.story;
    const library = { pushes: told.pushes, whole };
    const models = NAMES.map((name) => [name, new PageModel(told.widgets[name], library)]);
    this.#models = Object.fromEntries(models) as Record<Name, PageModel>;
    this.#target = told.story.photographs[0]!.start;
    [this.#method, this.#layer, this.#overlayLayer] = [told.story.method, told.story.layer, told.story.layer];
    this.#listen();
    this.#show();
  }

  get #own(): Photograph {
    return this.#story.photographs[this.#photograph]!;
  }

  fill(element: HTMLElement): void {
    const areas = { graph: h("div"), overlay: h("div"), scores: h("div"), maps: h("div") };
    const bar = h("div");
    const middle = h("div", { class: "cnnw-area-overlay" }, areas.overlay);
    for (const name of ["graph", "scores", "maps"] as const) areas[name].classList.add(`cnnw-area-${name}`);
    const grid = h("div", { class: "cnnw-explorer-grid" }, areas.graph, middle, areas.scores, areas.maps);
    const explorer = h("div", { class: "cnnw cnnw-explorer" }, bar, grid);
    const title = h("h1", { class: "cnnw-spoken" }, document.title);
    // The panels' own headings are those of a notebook, of the third order.
    const panels = h("h2", { class: "cnnw-spoken" }, "Panels");
    element.replaceChildren(title, panels, explorer, h("p", { class: "cnnw-page-foot" }, this.#contents()));
    for (const [name, el] of Object.entries({ bar, ...areas })) {
      const [widget, model] = [cnnwPage[name as Name], this.#models[name as Name]];
      widget.initialize({ model });
      widget.render({ model, el });
    }
  }

  #contents(): string {
    const { layers, methods } = this.#story;
    const [classes, labels] = [
      this.#own.classes.length,
      (list: number, one: string, many: string) => `${list} ${list === 1 ? one : many}`,
    ];
    const parts = [
      labels(layers.length, "layer", "layers"),
      labels(classes, "class", "classes"),
      labels(methods.length, "method", "methods"),
    ];
    const { others } = this.#own;
    if (others > 0) parts.push(`class activation maps of ${labels(others, "other class", "other classes")}`);
    return `Saved by cnnwidgets. ${parts.join(", ")}: all of it is in this file, which asks for nothing. Anything else ${NEEDS}`;
  }

  #listen(): void {
    const { bar, graph, overlay, scores, maps } = this.#models;
    bar.onChange = (trait, value) => {
      if (trait === "picture") this.#turnTo(this.#story.photographs.findIndex(({ name }) => name === value));
    };
    graph.onChange = (trait, value, before) => {
      if (trait === "selected") this.#select(String(value), String(before));
    };
    scores.onChange = (trait, value) => {
      if (trait === "target") this.#explain(Number(value));
      else if (trait === "score" || trait === "more") this.#show();
    };
    overlay.onChange = (trait, value, before) => this.#overlayChanged(trait, value, before);
    for (const model of Object.values(this.#models)) model.onCommand = (op) => this.#command(op);
    maps.onChange = () => undefined;
  }

  #overlayChanged(trait: string, value: unknown, before: unknown): void {
    const { overlay } = this.#models;
    const { methods, overlay_layers } = this.#story;
    if (trait === "method") this.#choose({ method: methods.indexOf(String(value)) });
    else if (trait === "marked" && value !== null) this.#explain(Number(value));
    else if (trait === "follow" && value === true) this.#choose({ overlayLayer: this.#layer });
    else if (trait === "layer") {
      const layer = overlay_layers.indexOf(String(value));
      this.#choose(overlay.get("follow") ? { layer, overlayLayer: layer } : { overlayLayer: layer });
    } else if (trait === "region") {
      overlay.put("region", before);
      this.#say(`Another part of the picture ${NEEDS}`);
    }
  }

  #choose(choice: { method?: number; layer?: number; overlayLayer?: number }): void {
    if (Object.values(choice).every((number) => number >= 0)) {
      this.#method = choice.method ?? this.#method;
      this.#layer = choice.layer ?? this.#layer;
      this.#overlayLayer = choice.overlayLayer ?? this.#overlayLayer;
      this.#say("");
    } else this.#say(`That is not in this page, and ${NEEDS}`);
    this.#show();
  }

  #select(name: string, before: string): void {
    if (!name) return;
    const layer = this.#own.aliases[name];
    if (typeof layer === "number") {
      this.#layer = layer;
      if (this.#models.overlay.get("follow")) this.#overlayLayer = layer;
      this.#say("");
      this.#show(name);
      return;
    }
    this.#models.graph.put("selected", before);
    this.#say(layer || `The maps of ${name} are not in this page. It holds those of ${this.#story.layers.join(", ")}.`);
  }

  #explain(target: number): void {
    const { classes } = this.#own;
    if (this.#holds(target)) {
      this.#target = target;
      this.#say(classes.includes(target) ? "" : `Of this class the page holds one map; another one ${NEEDS}`);
    } else
      this.#say(
        `The maps of this class are not in this page, which holds ${classes.length} classes. To explain another one ${NEEDS}`,
      );
    this.#show();
  }

  #turnTo(photograph: number): void {
    if (photograph < 0) return;
    const chosen = this.#target !== this.#own.first;
    this.#photograph = photograph;
    const { classes, first } = this.#own;
    if (!(chosen && this.#holds(this.#target))) this.#target = classes.includes(first) ? first : classes[0]!;
    const present = (layer: number) => this.#models.maps.has(this.#mapsOf(layer));
    if (!present(this.#layer))
      this.#layer = Math.max(
        this.#story.layers.findIndex((_, layer) => present(layer)),
        0,
      );
    if (this.#models.overlay.get("follow") || !present(this.#overlayLayer)) this.#overlayLayer = this.#layer;
    this.#say("");
    this.#show();
  }

  /** Whether there is any map of the class. */
  #holds(target: number): boolean {
    return this.#own.classes.includes(target) || this.#models.overlay.has(`${this.#photograph}/${target}/cam`);
  }

  /** The shot of a layer's maps; of a class that has none of its own that of the first, which has the same maps. */
  #mapsOf(layer: number): string {
    const { classes } = this.#own;
    return `${this.#photograph}/${classes.includes(this.#target) ? this.#target : classes[0]}/${layer}`;
  }

  #command(op: string): void {
    const { graph } = this.#models;
    if (op === "follow") this.#explain(this.#own.first);
    else if (op === "expand_all") graph.show(`${this.#photograph}/all`);
    else if (op === "collapse_all") graph.show(`${this.#photograph}/none`);
    else this.#say(`${op === "expand" || op === "collapse" ? "Opening or closing a single block" : "That"} ${NEEDS}`);
  }

  #say(sentence: string): void {
    this.#models.bar.put("progress_text", sentence);
  }

  /** Brings all widgets to what is chosen; `selected` is what of the layer is marked in the graph. */
  #show(selected = this.#story.layers[this.#layer] ?? ""): void {
    const { bar, graph, overlay, scores, maps } = this.#models;
    const at = `${this.#photograph}/${this.#target}`;
    bar.show(String(this.#photograph));
    bar.put("picture", this.#own.name);
    if (!graph.shown.startsWith(`${this.#photograph}/`)) graph.show(`${this.#photograph}/start`);
    graph.put("selected", selected);
    const of = `${at}/${this.#method}`;
    const alone = !this.#own.classes.includes(this.#target);
    if (alone) overlay.show(`${at}/cam`);
    else {
      overlay.show(overlay.has(of) ? of : `${of}/${this.#overlayLayer}`);
      overlay.put("method", this.#story.methods[this.#method]);
      overlay.put("layer", this.#story.overlay_layers[this.#overlayLayer] || overlay.get("layer"));
    }
    scores.show(`${at}/${scores.get("score")}/${scores.get("more") && !alone}`);
    scores.put("target", this.#target < 0 ? scores.get("target") : this.#target);
    maps.show(this.#mapsOf(this.#layer));
    if (alone) maps.clear("contribution");
    const channel = maps.get("channel");
    if (typeof channel === "number" && channel >= maps.countOf("maps")) maps.put("channel", null);
  }
}

/** The page is as light or dark as its reader's other windows. */
function followScheme(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    document.documentElement.dataset["jpThemeLight"] = String(!dark.matches);
  };
  dark.addEventListener("change", follow);
  follow();
}

const root = document.querySelector<HTMLElement>("#cnnw-page")!;
followScheme();
try {
  new Page(read<Told>(await unpacked(document.querySelector("#cnnw-recording")!.textContent ?? ""))).fill(root);
} catch (error) {
  root.textContent = `This page cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  throw error;
}
