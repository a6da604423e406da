/** The middle of the stepper: patch, kernel to be edited, products, and their sum. */
import { h } from "../_shared/dom";
import { number } from "../_shared/format";
import { Segmented } from "../_shared/segmented";
import { type Link, View } from "../_shared/view";
import { type Board, colourOf, letterOn, paintBoard } from "./board";
import type { ChannelTerm, Setup } from "./sliding";
import type { StepperState } from "./state";
import { brief } from "./words";

const MOST_TABS = 8;
const CELL = 38;
const READ_ONE_BY_ONE = 49;

/** The colours of the input, which the patch has, too, and those of the output. */
export interface Scales {
  input: Pick<Board, "limit" | "signed">;
  output: Pick<Board, "limit" | "signed">;
}

export class Products extends View<StepperState> {
  readonly #tabs = new Segmented("Input channel", (value) => this.link.set("channel", Number(value)));
  readonly #menu = h("select", { class: "cnnw-menu cnnw-field", "aria-label": "Input channel" });
  readonly #channels = h("div", { class: "cnnw-line cnnw-soft st-channels" });
  readonly #patch = tile("Patch", "The numbers of the input under the window");
  readonly #products = tile("Products", "Each number of the patch times the weight at the same place");
  readonly #weights = h("div", { class: "st-weights", role: "group", "aria-label": "Kernel" });
  readonly #kernel = h(
    "figure",
    { class: "st-tile" },
    h("figcaption", { class: "cnnw-soft" }, "Kernel"),
    this.#weights,
  );
  readonly #times = h("span", { class: "st-sign", "aria-hidden": "true" }, "×");
  readonly #equals = h("span", { class: "st-sign", "aria-hidden": "true" }, "=");
  readonly #sum = h("output", { class: "st-sum cnnw-figures" });
  readonly #result = h("figcaption", { class: "cnnw-soft" });
  readonly element = h("div", { class: "st-products cnnw-stack" });

  constructor(link: Link<StepperState>) {
    super(link);
    this.#kernel.title = "The weights of the filter; type others, and the output follows";
    this.#channels.title = "Which input channel's patch, kernel and products are shown; the sum goes over all of them";
    this.#menu.addEventListener("change", () => this.link.set("channel", Number(this.#menu.value)));
    this.#channels.append("Channel", this.#tabs.element, this.#menu);
    const sum = h("figure", { class: "st-tile" }, this.#result, this.#sum);
    const line = h("div", { class: "st-line" }, this.#patch.element, this.#times, this.#kernel, this.#equals);
    line.append(this.#products.element, h("span", { class: "st-sign", "aria-hidden": "true" }, "→"), sum);
    this.element.append(this.#channels, line);
    link.watch(["channels", "channel"], () => this.#nameChannels());
  }

  #nameChannels(): void {
    const names = this.link.get("channels");
    const channel = String(this.link.get("channel"));
    this.#channels.hidden = names.length < 2;
    const isFew = names.length <= MOST_TABS;
    this.#tabs.element.hidden = !isFew;
    this.#menu.hidden = isFew;
    const choices = names.map((label, at) => ({ value: String(at), label, title: `Show input channel ${label}` }));
    if (isFew) this.#tabs.update(choices, channel);
    else {
      if (this.#menu.options.length !== names.length) {
        this.#menu.replaceChildren(...choices.map(({ value, label }) => h("option", { value }, label)));
      }
      this.#menu.value = channel;
    }
  }

  update(setup: Setup, term: ChannelTerm, value: number, scales: Scales): void {
    const { kernel, operation } = setup;
    const pooling = operation !== "conv";
    this.#kernel.hidden = this.#times.hidden = this.#equals.hidden = this.#products.element.hidden = pooling;
    const sides = { rows: kernel.height, columns: kernel.width };
    paintTile(this.#patch.canvas, "Patch", term.patch, sides, scales.input);
    if (!pooling) {
      const weightScale = signedScale(kernel.values);
      paintTile(this.#products.canvas, "Products", term.products, sides, {
        limit: scales.input.limit * weightScale.limit,
        signed: true,
      });
      this.#paintWeights(setup, term);
    }
    this.#result.textContent = { conv: "Sum", max: "Largest", avg: "Mean" }[operation];
    this.#sum.textContent = number(value);
    this.#sum.title = `${value} goes to the output cell in the frame`;
    this.#sum.dataset["value"] = String(value);
    const colour = colourOf(value, scales.output);
    this.#sum.style.background = `rgb(${colour.join(",")})`;
    this.#sum.style.color = letterOn(colour);
  }

  #paintWeights({ kernel }: Setup, { kernel: weights }: ChannelTerm): void {
    const { height, width } = kernel;
    const fields = [...this.#weights.children] as HTMLInputElement[];
    if (fields.length !== weights.length || this.#weights.dataset["width"] !== String(width)) {
      this.#weights.dataset["width"] = String(width);
      this.#weights.style.gridTemplateColumns = `repeat(${width}, minmax(30px, ${CELL}px))`;
      this.#weights.replaceChildren(...Array.from({ length: height * width }, (_, at) => this.#field(at, width)));
    }
    const scale = signedScale(kernel.values);
    for (const [at, field] of ([...this.#weights.children] as HTMLInputElement[]).entries()) {
      const weight = weights[at]!;
      if (document.activeElement !== field) {
        field.value = rounded(weight);
        field.title = `Weight at row ${Math.floor(at / width)}, column ${at % width}: ${number(weight)}; type another`;
      }
      const colour = colourOf(weight, scale);
      field.style.background = `rgb(${colour.join(",")})`;
      field.style.color = letterOn(colour);
    }
  }

  #field(at: number, width: number): HTMLElement {
    const name = `Weight at row ${Math.floor(at / width)}, column ${at % width}`;
    const field = h("input", { type: "number", step: "any", class: "st-weight cnnw-figures", "aria-label": name });
    field.addEventListener("input", () => {
      const value = field.value.trim() === "" ? Number.NaN : Number(field.value);
      if (Number.isFinite(value)) this.#set(at, value);
    });
    field.addEventListener("focus", () => {
      field.value = String(this.#weightsOnShow()[at] ?? 0);
    });
    // What is no number is put back.
    field.addEventListener("blur", () => {
      field.value = rounded(this.#weightsOnShow()[at] ?? 0);
    });
    return field;
  }

  #weightsOnShow(): number[] {
    return this.link.get("kernel")[this.link.get("channel")]?.flat() ?? [];
  }

  #set(at: number, value: number): void {
    const kernel = structuredClone(this.link.get("kernel"));
    const own = kernel[this.link.get("channel")];
    const width = own?.[0]?.length ?? 1;
    if (!own) return;
    own[Math.floor(at / width)]![at % width] = value;
    this.link.set("kernel", kernel);
  }
}

/** A field that is not written in has room for two digits; its tooltip has more. */
function rounded(weight: number): string {
  return String(Number(weight.toPrecision(2)));
}

export function signedScale(values: Float64Array): Pick<Board, "limit" | "signed"> {
  return {
    limit: values.reduce((most, value) => Math.max(most, Number.isFinite(value) ? Math.abs(value) : 0), 0),
    signed: true,
  };
}

function tile(name: string, title: string) {
  const canvas = h("canvas", { role: "img", "aria-label": name });
  return {
    canvas,
    element: h("figure", { class: "st-tile", title }, h("figcaption", { class: "cnnw-soft" }, name), canvas),
  };
}

function paintTile(
  canvas: HTMLCanvasElement,
  name: string,
  values: Float64Array,
  sides: { rows: number; columns: number },
  scale: Pick<Board, "limit" | "signed">,
): void {
  const board = { values, ...sides, ...scale, padding: 0, outside: 0, frame: null, filled: values.length, behind: [] };
  paintBoard(canvas, board, CELL * Math.max(sides.columns, sides.rows));
  const listed = values.length <= READ_ONE_BY_ONE ? Array.from(values, brief).join("  ") : `${values.length} numbers`;
  canvas.ariaLabel = `${name}: ${listed}`;
}
