/** The numbers of a convolution or pooling, by hand: what does not fit is said, and not done. */
import { h, menu, tell } from "../_shared/dom";
import { type Link, View } from "../_shared/view";
import { listsOf, type Operation, problemOf, resizedKernel, type Setup, volumeOf } from "./sliding";
import { SETTINGS, type StepperState } from "./state";
import { OPERATIONS, PRESETS } from "./words";

const NUMBERS = [
  ["stride", "Stride", 1, "Stride: how many cells the window moves at a time, both ways"],
  ["padding", "Padding", 0, "Padding: how many cells are put around the input, on each side; they hold 0"],
  ["dilation", "Dilation", 1, "Dilation: how many cells lie from one weight's to the next; 1 leaves none out"],
] as const;
const LARGEST_SIZE = 11;
const LARGEST = 32;
const PASSED = "as passed";
const OWN = "your own";

export class SlidingSettings extends View<StepperState> {
  readonly #operation: HTMLSelectElement;
  readonly #preset: HTMLSelectElement;
  readonly #bias: NumberField;
  readonly #size: NumberField;
  readonly #numbers: Map<keyof StepperState & string, NumberField>;
  readonly #problem = h("p", { class: "cnnw-warning", role: "alert" });
  readonly element: HTMLElement;
  #passed: number[][][] = [];

  /** `setup`: what is on show, with which a new number must fit. */
  constructor(
    link: Link<StepperState>,
    private readonly setup: () => Setup | null,
  ) {
    super(link);
    const kind = "What is made of each patch: its products with a kernel added up, its largest number, or its mean";
    this.#operation = menu(
      "Operation",
      OPERATIONS,
      link.get("operation"),
      (value) => this.#try({ operation: value as Operation }),
      kind,
    );
    const kernels = [PASSED, ...Object.keys(PRESETS), OWN].map((name) => [name, name] as const);
    const about = "Kernel: the weights to begin with, the same in every input channel; each can be edited below";
    this.#preset = menu("Kernel", kernels, PASSED, (name) => this.#choose(name), about);
    this.#preset.options[kernels.length - 1]!.disabled = true;
    this.#size = numberField(
      "Size",
      "Size of the window, both ways; of a larger kernel the new weights are 0",
      1,
      (size) => this.#resize(size),
    );
    const biasTitle = "Bias: a number that is added to each sum";
    this.#bias = numberField("Bias", biasTitle, null, (bias) => this.#try({ bias }));
    const fields = NUMBERS.map(([name, label, least, title]) => {
      const field = numberField(label, title, least, (value) => this.#try({ [name]: value }));
      field.input.max = String(LARGEST);
      return [name, field] as const;
    });
    this.#size.input.max = String(LARGEST_SIZE);
    this.#numbers = new Map(fields);
    const preset = h("label", { class: "cnnw-line cnnw-soft", title: about }, "Kernel", this.#preset);
    const row = h("div", { class: "cnnw-row" }, this.#operation, preset, this.#size.element);
    row.append(...fields.map(([, { element }]) => element), this.#bias.element);
    this.element = h("div", { class: "cnnw-stack" }, row, this.#problem);
    this.#say("");
    link.watch(SETTINGS, () => this.#update());
  }

  /** The kernel that Python passed, to come back to. */
  keep(kernel: number[][][]): void {
    this.#passed = kernel;
    this.#update();
  }

  #update(): void {
    const { link } = this;
    const kernel = volumeOf(link.get("kernel"));
    const pooling = link.get("operation") !== "conv";
    this.#operation.value = link.get("operation");
    this.#preset.value = this.#presetOf();
    this.#preset.parentElement!.hidden = this.#bias.element.hidden = pooling;
    this.#size.show(Math.max(kernel.height, kernel.width));
    this.#bias.show(link.get("bias"));
    for (const [name, field] of this.#numbers) field.show(link.get(name) as number);
  }

  #presetOf(): string {
    const kernel = this.link.get("kernel");
    if (JSON.stringify(kernel) === JSON.stringify(this.#passed)) return PASSED;
    const names = Object.keys(PRESETS);
    const is = (name: string) => kernel.every((own) => own.length === 3 && own.flat().join() === PRESETS[name]!.join());
    return names.find(is) ?? OWN;
  }

  #choose(name: string): void {
    const weights = PRESETS[name];
    const count = this.link.get("kernel").length;
    const rows = weights && [weights.slice(0, 3), weights.slice(3, 6), weights.slice(6)];
    this.#try({ kernel: rows ? Array.from({ length: count }, () => rows) : this.#passed });
  }

  #resize(size: number): void {
    if (size > LARGEST_SIZE) {
      this.#say(`The size is ${size}; expected a whole number from 1 to ${LARGEST_SIZE}.`);
      this.#update();
    } else this.#try({ kernel: listsOf(resizedKernel(volumeOf(this.link.get("kernel")), size)) });
  }

  /** Sets what fits; of what does not, says why. */
  #try(change: Partial<StepperState>): void {
    const setup = this.setup();
    const [[name, value] = ["", null]] = Object.entries(change);
    if (!setup || !name) return;
    const next = { ...setup, ...change, kernel: change.kernel ? volumeOf(change.kernel) : setup.kernel };
    const isTooLarge = typeof value === "number" && name !== "bias" && value > LARGEST;
    const problem = isTooLarge ? `The ${name} is ${value}; expected at most ${LARGEST}.` : problemOf(next);
    this.#say(problem);
    if (problem) this.#update();
    else this.link.set(name as "kernel", value as number[][][]);
  }

  #say(problem: string): void {
    tell(this.#problem, problem);
  }
}

export type NumberField = ReturnType<typeof numberField>;

/** A labelled number; `least`: a whole one from there on, null: any. */
export function numberField(label: string, title: string, least: number | null, onchange: (value: number) => void) {
  const whole = least === null ? { step: "any" } : { step: 1, min: least };
  const input = h("input", { type: "number", class: "st-number cnnw-field", ...whole });
  let now = 0;
  const take = () => {
    const value = input.value.trim() === "" ? Number.NaN : Number(input.value);
    const fits = Number.isFinite(value) && (least === null || (Number.isInteger(value) && value >= least));
    if (!fits) input.value = String(now);
    else if (value !== now) onchange(value);
  };
  input.addEventListener("change", take);
  // JupyterLab takes Enter before the browser makes a change of it.
  input.addEventListener("keydown", ({ key }) => key === "Enter" && take());
  const show = (value: number) => {
    now = value;
    if (Number(input.value) !== value || input.value === "") input.value = String(value);
  };
  return { element: h("label", { class: "cnnw-line cnnw-soft", title }, label, input), input, show };
}
