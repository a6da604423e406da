/** What to compare: methods by family, and layers or classes; and the buttons that begin and stop it. */
import { byFamily } from "../_maps/families";
import { button, changes, h, setText } from "../_shared/dom";
import { Progress } from "../_shared/progress";
import { Segmented } from "../_shared/segmented";
import { type Link, View } from "../_shared/view";
import type { ComparisonState } from "./scales";

export type Option = readonly [value: string, label: string, title: string];
export type OptionGroup = readonly [heading: string, options: readonly Option[]];

export class Ticks {
  readonly element: HTMLElement;
  readonly #summary = h("span", { class: "cnnw-cut", dir: "auto" });
  readonly #body = h("div", { class: "cnnw-cmp-ticks" });
  readonly #groupsChanged = changes();

  constructor(
    private readonly name: string,
    onchange: (values: string[]) => void,
  ) {
    const title = `Tick the ${name.toLowerCase()} to compare`;
    const line = h("summary", { title }, h("b", { class: "cnnw-soft" }, name), " ", this.#summary);
    this.element = h("details", { class: "cnnw-cmp-choice" }, line, this.#body);
    this.#body.addEventListener("change", () => {
      const ticked = this.#boxes().filter((box) => box.checked);
      onchange(ticked.map((box) => box.value));
    });
  }

  update(groups: readonly OptionGroup[], ticked: readonly string[]): void {
    if (this.#groupsChanged(JSON.stringify(groups))) {
      this.#body.replaceChildren(...groups.map((group) => this.#fieldset(group)));
      this.#body.classList.toggle("is-one", groups.length === 1);
    }
    for (const box of this.#boxes()) box.checked = ticked.includes(box.value);
    const options = groups.flatMap(([, members]) => members).filter(([value]) => ticked.includes(value));
    setText(this.#summary, options.map(([, label]) => label).join(", ") || "none ticked");
  }

  #boxes(): HTMLInputElement[] {
    return [...this.#body.querySelectorAll("input")];
  }

  #fieldset([heading, options]: OptionGroup): HTMLElement {
    const legend = h("legend", { class: "cnnw-small cnnw-soft" }, heading || this.name);
    const labels = options.map(([value, label, title]) => {
      const box = h("input", { type: "checkbox", value });
      return h("label", { title, class: "cnnw-check" }, box, h("span", { class: "cnnw-cut", dir: "auto" }, label));
    });
    return h("fieldset", {}, legend, ...labels);
  }
}

const AXES = [
  { value: "layers", label: "Layers", title: "A column for each layer; one class" },
  { value: "classes", label: "Classes", title: "A column for each class; one layer" },
];

export class Choices extends View<ComparisonState> {
  readonly element: HTMLElement;
  readonly #methods = new Ticks("Methods", (values) => this.link.set("chosen_methods", values));
  readonly #layers = new Ticks("Layers", (values) => this.link.set("chosen_layers", values));
  readonly #classes = new Ticks("Classes", (values) => this.link.set("chosen_classes", values.map(Number)));
  readonly #axis = new Segmented("Columns", (value) => this.link.set("axis", value as ComparisonState["axis"]));
  readonly #add = button("Add", () => this.#addLayer(), { title: "Compare the layer selected in the graph, too" });
  readonly #start = button("Compare", () => this.#compare(), { title: "Make the maps of all that is ticked" });
  readonly #progress = new Progress(this.link, "Progress");

  constructor(link: Link<ComparisonState>) {
    super(link);
    this.#start.classList.add("cnnw-cmp-go");
    this.#progress.text.classList.add("cnnw-soft");
    this.#progress.cancel.classList.add("cnnw-end");
    const line = h("div", { class: "cnnw-row" }, this.#axis.element, this.#start, this.#add, this.#progress.element);
    const lists = [this.#methods, this.#layers, this.#classes].map(({ element }) => element);
    this.element = h("div", { class: "cnnw-stack" }, ...lists, line);
    link.watch(["methods", "layers", "classes", "axis", "layer"], () => this.#paint());
    link.watch(["chosen_methods", "chosen_layers", "chosen_classes"], () => this.#paint());
    link.watch(["busy", "progress"], () => this.#paintWork());
  }

  #addLayer(): void {
    const { link } = this;
    const ticked = [...link.get("chosen_layers"), link.get("layer")];
    link.set(
      "chosen_layers",
      link.get("layers").filter((name) => ticked.includes(name)),
    );
    this.#compare();
  }

  /** Traits may still be on their way; the command carries the choice. */
  #compare(): void {
    this.link.command("compare", {
      methods: this.link.get("chosen_methods"),
      axis: this.link.get("axis"),
      layers: this.link.get("chosen_layers"),
      classes: this.link.get("chosen_classes"),
    });
  }

  #paint(): void {
    const { link } = this;
    const methods = link.get("methods");
    this.element.hidden = methods.length === 0;
    const families = byFamily(methods).map(
      ([heading, members]): OptionGroup => [heading, members.map(([name, label, question]) => [name, label, question])],
    );
    this.#methods.update(families, link.get("chosen_methods"));
    const layers = link.get("layers").map((name): Option => [name, name, `Maps of the layer ${name}`]);
    this.#layers.update([["", layers]], link.get("chosen_layers"));
    const classes = link
      .get("classes")
      .map(([i, label]): Option => [String(i), `${label} (${i})`, `Maps of the class ${label}`]);
    this.#classes.update([["", classes]], link.get("chosen_classes").map(String));
    const axis = link.get("axis");
    this.#layers.element.hidden = axis !== "layers";
    this.#classes.element.hidden = axis === "layers";
    const layer = link.get("layer");
    const isNew = link.get("layers").includes(layer) && !link.get("chosen_layers").includes(layer);
    this.#add.hidden = axis !== "layers" || !isNew;
    this.#add.textContent = this.#add.ariaLabel = `Add ${layer}`;
    this.#axis.update(AXES, axis);
  }

  #paintWork(): void {
    this.#start.disabled = this.link.get("busy");
    this.#progress.show(this.link.get("busy"));
    this.#progress.bar.hidden = this.link.get("progress") === null;
  }
}
