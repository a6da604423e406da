/** A kernel moves over its input: input, patch, kernel, products, sum and output, beside each other. */
import { button, checkbox, everyFrame, h, menu } from "../_shared/dom";
import { number } from "../_shared/format";
import { watchTheme } from "../_shared/theme";
import { type Data, entry, type Link, RootView } from "../_shared/view";
import { type Board, cellUnder, paintBoard } from "./board";
import { inkOf, stroked } from "./brush";
import { Player } from "./player";
import { Products, type Scales, signedScale } from "./products";
import { stepperSave } from "./save";
import { SlidingSettings } from "./settings";
import {
  cellAt,
  cornerOf,
  extents,
  outputNear,
  outputOf,
  outputSides,
  problemOf,
  type Setup,
  termsAt,
  type Volume,
} from "./sliding";
import { cellOnShow, SETTINGS, type StepperState, setupOf } from "./state";
import { stepSentence } from "./words";
import "./widget.css";

const MOST_CARDS = 3;
const KEYS = "arrows move the window, Home and End go to the first and last cell, space plays";

/** A grid that is looked at, clicked and reached by Tab. */
function stage(name: string, title: string) {
  const canvas = h("canvas", { role: "img", "aria-label": name });
  const role = { role: "application", "aria-label": `${name}: ${KEYS}`, tabindex: 0 };
  const area = h("div", { class: "st-area", title, ...role }, canvas);
  const caption = h("figcaption", { class: "cnnw-soft" }, name);
  return { canvas, area, caption, element: h("figure", { class: "st-stage" }, caption, area), side: 1 };
}

class ConvolutionStepperView extends RootView<StepperState> {
  #input: Volume | null = null;
  #setup: Setup | null = null;
  #output: Float64Array = new Float64Array(0);
  #scales: Scales = { input: { limit: 0, signed: false }, output: { limit: 0, signed: false } };
  #boards: { input: Board; output: Board } | null = null;
  #stroke: [number, number] | null = null;
  readonly #title = h("span", { class: "cnnw-cut" });
  readonly #notes = h("div", { class: "cnnw-stack st-notes" });
  readonly #source = stage("Input", "Click a cell to put the window there");
  readonly #target = stage("Output", "Click a cell to see how it is made");
  readonly #sentence = h("p", { class: "cnnw-figures cnnw-wrap st-sentence", role: "status" });
  readonly #draw = checkbox("Draw", () => this.#drawn(), "Draw on the input with mouse, pen or finger");
  readonly #settings = new SlidingSettings(this.link, () => this.#setup);
  readonly #products = new Products(this.link);
  readonly #player = new Player(this.link, (playing) =>
    this.#sentence.setAttribute("aria-live", playing ? "off" : "polite"),
  );
  readonly #painting = everyFrame(() => this.#paint());

  constructor(link: Link<StepperState>, el: HTMLElement) {
    super(link, el);
    this.#source.element.append(this.#inputTools());
    const body = h("div", { class: "st-body" }, this.#source.element, this.#products.element, this.#target.element);
    const parts = [this.#settings.element, body, this.#player.element, this.#sentence, this.#notes];
    const heading = h("div", { class: "cnnw-heading" }, this.#title, stepperSave(link, el));
    el.append(h("div", { class: "st-root cnnw-stack" }, heading, ...parts));
    link.receive("input", (data) => this.#receive(data));
    link.watch(SETTINGS, () => this.#compute());
    link.watch(["position", "channel", "channels"], () => this.#painting.request());
    link.watch(["notes", "heading"], () => {
      this.#title.textContent = this.#title.title = link.get("heading") || "One filter, step by step";
      this.#notes.replaceChildren(...link.get("notes").map((note) => h("p", { class: "cnnw-soft cnnw-wrap" }, note)));
    });
    this.#listen();
    const observer = new ResizeObserver(() => this.#painting.request());
    observer.observe(body);
    watchTheme(link, () => this.#painting.request());
    link.onClose(() => {
      observer.disconnect();
      this.#painting.cancel();
    });
  }

  #inputTools(): HTMLElement {
    const title = "Put another input in place of this one, the same in every channel";
    const choices = [["", "sample …"], ...this.link.get("samples").map((name) => [name, name])] as [string, string][];
    const samples = menu(
      "Sample input",
      choices,
      "",
      (name) => {
        if (name) this.link.command("sample", { name });
        samples.value = "";
      },
      title,
    );
    const clear = button("Clear", () => this.#clear(), { title: "Make every number of the input 0, to draw on" });
    const again = () => this.link.command("sample", { name: "" });
    const reset = button("Reset", again, { title: "Back to the input that was there at first" });
    return h("div", { class: "cnnw-row" }, samples, this.#draw.element, clear, reset);
  }

  #receive({ id, arrays, content }: Data): void {
    const { values } = arrays;
    if (!values || this.#stroke) return;
    const [channels = 1, height = 1, width = 1] = values.shape;
    this.#input = { values: Float64Array.from(values.data), channels, height, width };
    if (content["kernel"]) this.#settings.keep(content["kernel"] as number[][][]);
    this.#compute();
    this.el.dataset["painted"] = String(id);
  }

  /** What changes with the input or a setting; the step on show does not. */
  #compute(): void {
    if (!this.#input) return;
    const setup = setupOf(this.link, this.#input);
    // Of several traits that change together some have come, some not yet.
    if (setup.kernel.channels !== setup.input.channels || problemOf(setup)) return;
    this.#setup = setup;
    this.#painting.request();
    this.#output = new Float64Array(0);
  }

  #scaled(setup: Setup, channel: number): void {
    this.#output = outputOf(setup, channel);
    const lowest = (values: Float64Array) => values.reduce((least, value) => Math.min(least, value), 0);
    const input = { ...signedScale(setup.input.values), signed: lowest(setup.input.values) < 0 };
    const own = { ...signedScale(this.#output), signed: lowest(this.#output) < 0 };
    this.#scales = { input, output: setup.operation === "conv" ? own : input };
  }

  #paint(): void {
    const [setup, channel] = [this.#setup, this.link.get("channel")];
    if (!setup || channel >= setup.input.channels) return;
    this.#scaled(setup, channel);
    const position = this.link.get("position");
    const [row, column] = cellOnShow(setup, position);
    const sides = outputSides(setup);
    const terms = termsAt(setup, row, column);
    this.#boards = {
      input: this.#inputBoard(setup, channel, row, column),
      output: this.#outputBoard(sides, row, column),
    };
    for (const [part, board] of [
      [this.#source, this.#boards.input],
      [this.#target, this.#boards.output],
    ] as const) {
      part.side = paintBoard(part.canvas, board, part.element.clientWidth || 300);
    }
    const { input } = setup;
    const size = [...(input.channels > 1 ? [input.channels] : []), input.height, input.width].join(" × ");
    this.#source.caption.textContent = `Input ${size}`;
    this.#target.caption.textContent = `Output ${sides.join(" × ")}`;
    this.#source.canvas.ariaLabel = `Input ${size}, the window for output row ${row}, column ${column}`;
    this.#target.canvas.ariaLabel = `Output ${sides.join(" × ")}, at row ${row}, column ${column}`;
    this.#products.update(setup, terms[channel]!, this.#output[row * sides[1] + column]!, this.#scales);
    const where = `Output row ${row}, column ${column}: `;
    this.#sentence.textContent = where + stepSentence(setup, terms, this.link.get("channels"), channel);
    this.#player.update(sides, Math.min(position, sides[0] * sides[1] - 1));
    this.el.dataset["step"] = String(position);
  }

  #inputBoard(setup: Setup, channel: number, row: number, column: number): Board {
    const { input, padding, dilation, operation } = setup;
    const size = input.height * input.width;
    const of = (at: number) => input.values.subarray(at * size, (at + 1) * size);
    const [top, left] = cornerOf(setup, row, column);
    const [rows, columns] = extents(setup);
    const others = Array.from({ length: input.channels - 1 }, (_, at) => (channel + 1 + at) % input.channels);
    return {
      values: of(channel),
      rows: input.height,
      columns: input.width,
      padding,
      outside: operation === "max" ? Number.NEGATIVE_INFINITY : 0,
      ...this.#scales.input,
      frame: { top, left, rows, columns, dilation },
      filled: size,
      behind: others.slice(0, MOST_CARDS).map(of),
    };
  }

  #outputBoard([rows, columns]: readonly [number, number], row: number, column: number): Board {
    const frame = { top: row, left: column, rows: 1, columns: 1, dilation: 1 };
    const filled = row * columns + column + 1;
    return {
      values: this.#output,
      rows,
      columns,
      padding: 0,
      outside: 0,
      ...this.#scales.output,
      frame,
      filled,
      behind: [],
    };
  }

  #listen(): void {
    const [source, target] = [this.#source, this.#target];
    for (const { area } of [source, target]) area.addEventListener("keydown", (event) => this.#player.key(event));
    source.area.addEventListener("pointerdown", (event) => this.#press(event));
    source.area.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
      source.area.addEventListener(end, () => this.#release());
    }
    target.canvas.addEventListener("pointermove", (event) => {
      const [row, column] = this.#cell(event, "output");
      const [, columns] = this.#sides;
      const isThere = this.#boards && row * columns + column < this.#boards.output.filled;
      const text = isThere ? number(this.#output[row * columns + column] ?? 0) : "not computed yet";
      target.canvas.title = `Output row ${row}, column ${column}: ${text}`;
    });
    target.canvas.addEventListener("click", (event) => {
      const [row, column] = this.#cell(event, "output");
      const [rows, columns] = this.#sides;
      if (row >= 0 && column >= 0 && row < rows && column < columns) this.#player.go(row * columns + column);
    });
  }

  get #sides(): [number, number] {
    return this.#setup ? outputSides(this.#setup) : [1, 1];
  }

  #cell(event: MouseEvent, name: "input" | "output"): [number, number] {
    const [part, board] = [name === "input" ? this.#source : this.#target, this.#boards?.[name]];
    const box = part.canvas.getBoundingClientRect();
    return board ? cellUnder(board, part.side, event.clientX - box.left, event.clientY - box.top) : [-1, -1];
  }

  #press(event: PointerEvent): void {
    if (event.button !== 0 || !this.#setup) return;
    if (!this.#draw.input.checked) {
      const [row, column] = outputNear(this.#setup, ...this.#cell(event, "input"));
      this.#player.go(row * this.#sides[1] + column);
      return;
    }
    event.preventDefault();
    this.#source.area.setPointerCapture(event.pointerId);
    this.#source.area.focus({ preventScroll: true });
    this.#stroke = this.#point(event);
    this.#paintTo(this.#stroke);
  }

  #move(event: PointerEvent): void {
    if (this.#stroke) {
      this.#paintTo(this.#point(event));
      return;
    }
    const [row, column] = this.#cell(event, "input");
    const setup = this.#setup;
    if (!setup) return;
    const isInside = row >= 0 && column >= 0 && row < setup.input.height && column < setup.input.width;
    const value = number(cellAt(setup, this.link.get("channel"), row, column));
    this.#source.canvas.title = `${isInside ? "Input" : "Padding"} row ${row}, column ${column}: ${value}`;
  }

  /** Where the pointer is, in cells, and shares of them, from the input's top left. */
  #point(event: PointerEvent): [number, number] {
    const { canvas, side } = this.#source;
    const box = canvas.getBoundingClientRect();
    const board = this.#boards!.input;
    const [row, column] = [(event.clientY - box.top) / side, (event.clientX - box.left) / side];
    const cards = (canvas.clientHeight - side * (board.rows + 2 * board.padding)) / side;
    return [row - cards - board.padding, column - board.padding];
  }

  #paintTo(point: [number, number]): void {
    if (!this.#input || !this.#stroke) return;
    this.#input = stroked(this.#input, this.#stroke, point, inkOf(this.#input));
    this.#stroke = point;
    this.#compute();
  }

  #release(): void {
    if (!this.#stroke) return;
    this.#stroke = null;
    this.#send();
  }

  #clear(): void {
    if (!this.#input) return;
    this.#input = { ...this.#input, values: new Float64Array(this.#input.values.length) };
    this.#compute();
    this.#send();
  }

  #send(): void {
    const { values, height, width } = this.#input!;
    this.link.command("draw", { rows: height, columns: width }, [values.slice().buffer]);
  }

  #drawn(): void {
    const on = this.#draw.input.checked;
    this.#source.area.classList.toggle("is-drawing", on);
    this.#source.area.title = on ? "Draw on the input: press and move" : "Click a cell to put the window there";
  }
}

export default entry<StepperState>("convolution-stepper", ConvolutionStepperView);
