/** The panel of the selected channel. */
import { gradient } from "../_maps/colormaps";
import { smoothBox } from "../_maps/controls";
import { MARGIN, Sheet } from "../_maps/sheet";
import { button, h, s } from "../_shared/dom";
import { number, percent } from "../_shared/format";
import { fileName, type Png, SaveButton, titleOf } from "../_shared/png";
import { type Link, View } from "../_shared/view";
import { type LargeLook, LargeStage } from "./large";
import { type Contribution, type FeatureMapsState, levelsOf, type Maps, type MapsView, span } from "./view";

/** How a map's values are spread, from its levels: 51 bins of 5 levels each. */
export const BINS = 51;
const PER_BIN = 5;

export function histogram(levels: Uint8Array): number[] {
  const bins = new Array<number>(BINS).fill(0);
  for (const level of levels) {
    if (level < 255) bins[Math.floor(level / PER_BIN)]! += 1;
  }
  return bins;
}

/**
 * The count that gets the full height. One bin that towers over the others (the zeros after a ReLU) would flatten
 * them to nothing, so it is cut at twice the second highest; the chart says so.
 */
export function fullHeight(bins: readonly number[]): number {
  const [first = 0, second = 0] = [...bins].sort((a, b) => b - a);
  return second > 0 && first > 4 * second ? 2 * second : first;
}

/** Lowest and highest value that falls into a bin, for a map between `low` and `high`. */
export function binEdges(bin: number, low: number, high: number): [number, number] {
  const at = (level: number) => low + (Math.min(254, Math.max(0, level)) / 254) * (high - low);
  return [at(bin * PER_BIN - 0.5), at(bin * PER_BIN + PER_BIN - 0.5)];
}

const WIDTH = 306;
const HEIGHT = 52;
const SOFT = "cnnw-under cnnw-small cnnw-soft";

export function chart(maps: Maps, channel: number): HTMLElement {
  const low = maps.minimum[channel] ?? Number.NaN;
  const high = maps.maximum[channel] ?? Number.NaN;
  if (!(high > low)) {
    const text = Number.isNaN(low) ? "No value of this map is finite." : `Every value is ${number(low)}.`;
    return h("p", { class: SOFT }, text);
  }
  const bins = histogram(levelsOf(maps, channel));
  const full = fullHeight(bins);
  const step = WIDTH / BINS;
  const svg = s("svg", {
    class: "fm-histogram",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": `Histogram from ${number(low)} to ${number(high)}`,
  });
  let cut = "";
  bins.forEach((n, bin) => {
    if (n === 0) return;
    const [from, to] = binEdges(bin, low, high).map((value) => number(value));
    const tall = Math.max(1, Math.min(1, n / full) * (HEIGHT - 2));
    const bar = { x: bin * step + 0.5, width: step - 1 };
    const title = s("title", {}, `${from} to ${to}: ${n} ${n === 1 ? "value" : "values"}`);
    svg.append(s("rect", { ...bar, y: HEIGHT - tall, height: tall }, title));
    if (n > full) {
      svg.append(s("rect", { ...bar, y: 8, height: 3, class: "fm-cut" }));
      cut = `The bar at ${from} to ${to} is cut off: ${n} of ${maps.height * maps.width} values.`;
    }
  });
  const zero = low < 0 && high > 0 ? -low / (high - low) : null;
  if (zero !== null) {
    svg.append(s("line", { class: "fm-zero", x1: zero * WIDTH, x2: zero * WIDTH, y1: 0, y2: HEIGHT }));
  }
  const named = zero !== null && zero > 0.2 && zero < 0.8;
  const axis = h(
    "div",
    { class: "fm-axis cnnw-around cnnw-ends cnnw-small cnnw-soft" },
    h("span", {}, number(low)),
    named && h("span", { class: "fm-at", style: `left:${(zero * 100).toFixed(1)}%` }, "0"),
    h("span", {}, number(high)),
  );
  return h("div", {}, svg, axis, cut && h("p", { class: SOFT }, cut));
}

const ADDS = "What this map adds to the score of the class, by the gradient; negative: it speaks against the class";
const MEANINGS: Record<string, string> = {
  minimum: "The smallest number of this map",
  maximum: "The largest number of this map",
  mean: "The mean of all numbers of this map",
  layer: "The layer that the map belongs to",
  channel: "Which of the layer's maps this is, counted from 0",
  zeros: "How many of the map's values are 0: the filter did not react there",
  "receptive field":
    "How large a part of the image one value of the map can depend on; what is larger than the image depends on all of it",
};

/** Switches a channel off or on. */
export function switchChannel(link: Link<FeatureMapsState>, channel: number, off: boolean): void {
  const others = link.get("off").filter((other) => other !== channel);
  const channels = off ? [...others, channel] : others;
  channels.sort((a, b) => a - b);
  link.set("off", channels);
}

export class Detail extends View<FeatureMapsState> {
  readonly #stage = new LargeStage((row, column) => this.#openCell(row, column));
  readonly #title = h("span", { class: "cnnw-cut" });
  readonly #bar = h("div");
  readonly #values = h("dl", { class: "fm-values" });
  readonly #spread = h("div");
  readonly #previous = button("Previous channel", () => this.#step(-1), {
    label: "‹",
    title: "The map before this one in the grid",
  });
  readonly #next = button("Next channel", () => this.#step(1), {
    label: "›",
    title: "The map after this one in the grid",
  });
  readonly #power = button("Switch off", () => this.#togglePower());
  readonly #slider = h("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": "Opacity of the map" });
  readonly #opacity = h("output", { class: "cnnw-value cnnw-figures" });
  readonly #over = h(
    "label",
    { class: "fm-opacity cnnw-line", title: "How much the map covers the photograph" },
    "Opacity",
    this.#slider,
    this.#opacity,
  );
  readonly #smooth = smoothBox(this.link);
  readonly #hint = h("p", { class: "cnnw-empty" }, "Click a map to see it large.");
  readonly #panel = h("div", { class: "fm-panel" });
  readonly element = h("section", { class: "fm-detail" }, this.#hint, this.#panel);
  #selection: { view: MapsView; channel: number } | null = null;

  constructor(
    link: Link<FeatureMapsState>,
    private readonly onclose: () => void,
  ) {
    super(link);
    this.#slider.addEventListener("input", () => link.model.set("opacity", Number(this.#slider.value) / 100));
    // Python hears of it when the slider has come to rest.
    this.#slider.addEventListener("change", () => link.model.save_changes());
    this.#build();
  }

  show(view: MapsView, channel: number | null, look: LargeLook): void {
    const { maps } = view;
    this.#selection = channel !== null && channel < maps.count ? { view, channel } : null;
    this.#hint.hidden = this.#selection !== null;
    this.#panel.hidden = this.#selection === null;
    const name = this.#selection ? `Channel ${channel}` : "Selected channel";
    this.element.setAttribute("aria-label", maps.layer ? `${name} of ${maps.layer}` : name);
    if (!this.#selection || channel === null) return;
    this.#title.textContent = `Channel ${channel}`;
    this.#title.title = maps.layer ? `Channel ${channel} of ${maps.layer}` : `Channel ${channel}`;
    const at = view.position[channel] ?? 0;
    this.#previous.disabled = at === 0;
    this.#next.disabled = at === maps.count - 1;
    this.#bar.replaceChildren(...colourBar(view, channel));
    this.#values.replaceChildren(...facts(view, channel));
    this.#spread.replaceChildren(chart(maps, channel));
    this.restyle(look);
  }

  /** Whether the channel is switched off; null hides the switch. */
  setSwitch(off: boolean | null): void {
    const power = this.#power;
    power.hidden = off === null;
    power.dataset["off"] = String(off === true);
    power.textContent = power.ariaLabel = off ? "Switch on" : "Switch off";
    power.title = off ? "Let the network have this map again (0)" : "See what the network says without this map (0)";
  }

  restyle(look: LargeLook): void {
    if (!this.#selection) return;
    this.#stage.draw(this.#selection.view, this.#selection.channel, look);
    this.#over.hidden = !look.picture;
    const whole = Math.round(look.opacity * 100);
    if (Number(this.#slider.value) !== whole) this.#slider.value = String(whole);
    this.#opacity.textContent = `${whole} %`;
    this.#smooth.input.checked = look.smooth;
  }

  #build(): void {
    const save = new SaveButton(() => this.#sheet(), "Save the large map as a PNG");
    const close = button("Close", this.onclose, { label: "✕", title: "Close (Escape)" });
    const controls = h("div", { class: "fm-controls cnnw-line cnnw-soft" }, this.#over, this.#smooth.element);
    const buttons = h("div", { class: "fm-actions cnnw-row" }, this.#power, save.element);
    this.#power.classList.add("fm-switch");
    const aside = h("span", { class: "cnnw-aside fm-actions cnnw-line" }, this.#previous, this.#next, close);
    const heading = h("div", { class: "cnnw-heading" }, this.#title, aside);
    const below = h("div", {}, this.#bar, controls, buttons, this.#values, this.#spread);
    this.#panel.append(heading, this.#stage.element, below);
  }

  #openCell(row: number, column: number): void {
    if (!this.#selection || !this.link.get("clickable")) return;
    this.link.command("cell", { channel: this.#selection.channel, row, column });
  }

  #isOff(): boolean {
    return this.#power.dataset["off"] === "true";
  }

  #togglePower(): void {
    if (this.#selection) switchChannel(this.link, this.#selection.channel, !this.#isOff());
  }

  #step(by: number): void {
    if (!this.#selection) return;
    const { view, channel } = this.#selection;
    const to = view.order[(view.position[channel] ?? 0) + by];
    if (to !== undefined) this.link.set("channel", to);
  }

  #sheet(): Png | null {
    if (!this.#selection) return null;
    const { view, channel } = this.#selection;
    const { maps } = view;
    const { canvas: map } = this.#stage;
    const title = titleOf(this.link.model, `Feature map ${channel}`, maps.layer);
    const of = (values: ArrayLike<number>) => number(values[channel] ?? Number.NaN);
    const { contribution } = view;
    const added = contribution && `${contributionTo(contribution)}: ${of(contribution.values)}`;
    const range = `${of(maps.minimum)} to ${of(maps.maximum)}, mean ${of(maps.mean)}, ${maps.height} × ${maps.width}`;
    const [low, high] = span(maps, channel, view.scale, view.colormap);
    const sheet = new Sheet(Math.max(map.width, 360));
    sheet.heading(title);
    sheet.add(map.height + 16, (top) => sheet.context.drawImage(map, MARGIN, top));
    sheet.bar(view.colormap, [number(low), "", number(high)]);
    sheet.text(`Scale of ${view.scale === "map" ? "this map" : "the layer"}; the map: ${range}`);
    if (added) sheet.text(`${added[0]!.toUpperCase()}${added.slice(1)}`);
    for (const note of maps.notes) sheet.text(`⚠ ${note}`);
    if (this.#isOff()) sheet.text("⚠ This map is switched off: the scores are those of the network without it.");
    return { canvas: sheet.finish(), name: fileName(...title) };
  }
}

function colourBar(view: MapsView, channel: number): Node[] {
  const [low, high] = span(view.maps, channel, view.scale, view.colormap);
  const strip = h("div", { class: "cnnw-ramp", "aria-hidden": "true" });
  strip.style.background = gradient(view.colormap);
  const text = view.scale === "map" ? "scale of this map" : "scale of the layer";
  const labels = [number(low), text, number(high)].map((label) => h("span", {}, label));
  return [strip, h("div", { class: "cnnw-ends cnnw-small cnnw-soft" }, ...labels)];
}

function contributionTo({ target }: Contribution): string {
  return target ? `contribution to ${target}` : "contribution";
}

function facts(view: MapsView, channel: number): Node[] {
  const { maps, contribution } = view;
  const of = (values: ArrayLike<number>) => values[channel] ?? Number.NaN;
  const fact = (name: string, value: string, wide = true) =>
    value &&
    h(
      "div",
      { class: wide ? "fm-wide cnnw-line" : "cnnw-line" },
      h("dt", { class: "cnnw-cut cnnw-soft", title: MEANINGS[name] ?? ADDS }, h("bdi", {}, name)),
      h("dd", { class: "cnnw-cut cnnw-figures", title: value }, h("bdi", {}, value)),
    );
  return [
    fact("minimum", number(of(maps.minimum)), false),
    fact("maximum", number(of(maps.maximum)), false),
    fact("mean", number(of(maps.mean)), false),
    fact("zeros", percent(of(maps.zeros)), false),
    fact("layer", maps.layer),
    fact("channel", `${channel} (0 to ${maps.count - 1})`),
    fact("receptive field", maps.field ? `${maps.field.join(" × ")} px` : ""),
    contribution && fact(contributionTo(contribution), number(of(contribution.values))),
  ].filter((row) => row !== "" && row !== null);
}
