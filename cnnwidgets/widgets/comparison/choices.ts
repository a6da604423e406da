/** What to compare: methods by family, and layers or classes; and the buttons that begin and stop it. */
import { byFamily } from "../_maps/families";
import { button, h } from "../_shared/dom";
import type { Link } from "../_shared/link";
import { Progress } from "../_shared/progress";
import { Segmented } from "../_shared/segmented";
import type { ComparisonState } from "./state";
import { type Option, type OptionGroup, Ticks } from "./ticks";

const AXES = [
  { value: "layers", label: "Layers", title: "A column for each layer; one class" },
  { value: "classes", label: "Classes", title: "A column for each class; one layer" },
];

export class Choices {
  readonly element: HTMLElement;
  private readonly methods: Ticks;
  private readonly layers: Ticks;
  private readonly classes: Ticks;
  private readonly axis: Segmented;
  private readonly start: HTMLButtonElement;
  private readonly progress: Progress;

  constructor(private readonly link: Link<ComparisonState>) {
    this.methods = new Ticks("Methods", (values) => link.set("chosen_methods", values));
    this.layers = new Ticks("Layers", (values) => link.set("chosen_layers", values));
    this.classes = new Ticks("Classes", (values) => link.set("chosen_classes", values.map(Number)));
    this.axis = new Segmented("Columns", (value) => link.set("axis", value as ComparisonState["axis"]));
    this.start = button("Compare", () => this.compare());
    this.start.classList.add("cnnw-cmp-go");
    this.progress = new Progress("Progress", () => link.command("cancel"));
    this.progress.text.classList.add("cnnw-soft");
    const line = h("div", { class: "cnnw-row" }, this.axis.element, this.start, this.progress.element);
    const lists = [this.methods, this.layers, this.classes].map(({ element }) => element);
    this.element = h("div", { class: "cnnw-stack" }, ...lists, line);
    link.watch(["methods", "layers", "classes", "axis"], () => this.paint());
    link.watch(["chosen_methods", "chosen_layers", "chosen_classes"], () => this.paint());
    link.watch(["busy", "progress", "progress_text"], () => this.paintWork());
  }

  /** Traits may still be on their way; the command carries the choice. */
  private compare(): void {
    const { link } = this;
    link.command("compare", {
      methods: link.get("chosen_methods"),
      axis: link.get("axis"),
      layers: link.get("chosen_layers"),
      classes: link.get("chosen_classes"),
    });
  }

  private paint(): void {
    const { link } = this;
    const methods = link.get("methods");
    this.element.hidden = methods.length === 0;
    const families = byFamily(methods).map(([heading, members]): OptionGroup => {
      return [heading, members.map(([name, label, question]) => [name, label, question])];
    });
    this.methods.update(families, link.get("chosen_methods"));
    const layers = link.get("layers").map((name): Option => [name, name, name]);
    this.layers.update([["", layers]], link.get("chosen_layers"));
    const classes = link.get("classes").map(([i, label]): Option => [String(i), `${label} (${i})`, label]);
    this.classes.update([["", classes]], link.get("chosen_classes").map(String));
    const axis = link.get("axis");
    this.layers.element.hidden = axis !== "layers";
    this.classes.element.hidden = axis === "layers";
    this.axis.update(AXES, axis);
  }

  private paintWork(): void {
    const { link, progress } = this;
    const share = link.get("progress");
    this.start.disabled = link.get("busy");
    progress.element.hidden = !link.get("busy");
    progress.bar.hidden = share === null;
    progress.update(share, link.get("progress_text"));
  }
}
