/** Switches the selected layer off, or scales all that it returns. */
import { button, h, setText } from "../_shared/dom";
import { Slider } from "../_shared/slider";
import { type Link, View } from "../_shared/view";
import type { GraphState } from "./geometry";

const MOST = 2;
const STEPS = 10;

/** What stands beside the slider: how many times as much. */
export function factorText(factor: number): string {
  return factor === 0 ? "off" : `× ${Number(factor.toFixed(2))}`;
}

/** What the layer is multiplied by. */
export function factorOf(scales: Readonly<Record<string, number>>, layer: string): number {
  return Object.hasOwn(scales, layer) ? scales[layer]! : 1;
}

export class LayerSwitch extends View<GraphState> {
  readonly #name = h("bdi", { class: "cnnw-cut" });
  readonly #power = button("Switch off", () =>
    this.#send(factorOf(this.link.get("scales"), this.#layer) === 1 ? 0 : 1),
  );
  readonly #slider = new Slider("Scale", 0, (value) => this.#paintFactor(value / STEPS));
  /** What was sent and has not come back: answers to earlier steps must not take the slider back. */
  #sent: { layer: string; factor: number; timer: number } | null = null;
  readonly element = h("div", { class: "cnnw-ag-switch cnnw-small" }, this.#name, this.#power, this.#slider.element);

  constructor(link: Link<GraphState>) {
    super(link);
    this.#slider.element.title =
      "What the layer returns is multiplied by this: 0 switches it off, 1 leaves it as it is";
    // Sent where the slider comes to rest: each step runs the network.
    this.#slider.element.addEventListener("change", (event) => {
      this.#send((event.target as HTMLInputElement).valueAsNumber / STEPS);
    });
    link.watch(["selected", "switchable", "scales"], () => this.#paint());
    link.onClose(() => this.#forget());
  }

  get #layer(): string {
    return this.link.get("selected");
  }

  #send(factor: number): void {
    this.#forget();
    const timer = window.setTimeout(() => {
      this.#forget();
      this.#paint();
    }, 1000);
    this.#sent = { layer: this.#layer, factor, timer };
    this.link.command("scale", { name: this.#layer, factor });
  }

  #forget(): void {
    window.clearTimeout(this.#sent?.timer);
    this.#sent = null;
  }

  #paint(): void {
    const switchable = this.link.get("switchable");
    this.element.hidden = switchable.length === 0;
    // It keeps its room, so that the graph stays where it is.
    this.element.style.visibility = switchable.includes(this.#layer) ? "visible" : "hidden";
    setText(this.#name, this.#layer);
    const factor = factorOf(this.link.get("scales"), this.#layer);
    if (this.#sent?.layer !== this.#layer || this.#sent.factor === factor) this.#forget();
    if (!this.#sent) this.#paintFactor(factor);
  }

  #paintFactor(factor: number): void {
    const [off, layer] = [factor !== 1, this.#layer];
    this.#power.textContent = this.#power.ariaLabel = off ? "Switch on" : "Switch off";
    this.#power.title = off ? `Let the network have ${layer} as it is` : `See what the network says without ${layer}`;
    this.#slider.update(factor * STEPS, MOST * STEPS, factorText(factor), `${layer} ${factorText(factor)}`);
  }
}
