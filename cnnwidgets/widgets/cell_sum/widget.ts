/** The sum that made one number of a map, input channel by input channel. */
import { MARGIN, Sheet } from "../_maps/sheet";
import { button, h, putImage } from "../_shared/dom";
import { number } from "../_shared/format";
import { fileName, type Png, SaveButton, titleOf } from "../_shared/png";
import { entry, type Link, type Numbers, RootView } from "../_shared/view";
import { type CellSumState, largestOf, type Sum, sentenceOf, signedPixels, sumOf, type Term } from "./content";
import "./widget.css";

const SIGNS = ["×", "=", ""];
const HEAD = ["input", "patch", "", "kernel", "", "products", "", "adds"];

class CellSumView extends RootView<CellSumState> {
  #sum: Sum | null = null;
  readonly #title = h("span", { class: "cnnw-cut" });
  readonly #save = new SaveButton(() => this.#sheet(), "Save the sum as a PNG");
  readonly #sentence = h("p", { class: "cnnw-figures cnnw-wrap", role: "status" });
  readonly #terms = h("tbody");
  readonly #caption = h("caption", { class: "cnnw-soft" });
  readonly #table = h(
    "table",
    { class: "cs-terms cnnw-small cnnw-figures" },
    this.#caption,
    h("thead", {}, h("tr", {}, ...HEAD.map((text) => h("th", { scope: "col" }, text)))),
    this.#terms,
  );
  readonly #notes = h("div", { class: "cnnw-stack" });
  readonly #body = h("section", { class: "cs-body cnnw-stack" });

  constructor(link: Link<CellSumState>, el: HTMLElement) {
    super(link, el);
    const close = button("Close", () => link.command("close"), { label: "✕", title: "Close the sum" });
    const about = "Move the kernel over what is around this cell, step by step; edit it, and see what changes";
    const step = button("Open in the stepper", () => link.command("step"), { title: about });
    link.watch(["steppable"], () => {
      step.hidden = !link.get("steppable");
    });
    const aside = h("span", { class: "cnnw-aside cnnw-line" }, step, this.#save.element, close);
    this.#body.append(
      h("div", { class: "cnnw-heading" }, this.#title, aside),
      this.#sentence,
      this.#table,
      this.#notes,
    );
    el.append(this.#body);
    link.receive("cell", (data) => {
      this.#sum = sumOf(data);
      this.#paint();
      el.dataset["painted"] = String(data.id);
    });
    link.watch(["heading", "hint"], () => this.#paint());
  }

  #paint(): void {
    const [heading, hint, sum] = [this.link.get("heading"), this.link.get("hint"), this.#sum];
    this.#body.hidden = heading === "";
    this.#title.textContent = this.#title.title = heading;
    this.#sentence.textContent = hint || (sum ? sentenceOf(sum) : "");
    this.#caption.textContent = sum ? `What ${sum.convolution} adds up: patch × kernel; red above 0, blue below` : "";
    this.#table.hidden = !sum || hint !== "";
    this.#save.allow(sum !== null);
    this.#terms.replaceChildren(...(sum ? sum.terms.map((term) => row(sum, term)) : []));
    this.#notes.replaceChildren(...(sum?.notes ?? []).map((note) => h("p", { class: "cnnw-warning" }, note)));
  }

  #sheet(): Png | null {
    const sum = this.#sum;
    if (!sum) return null;
    const title = titleOf(this.link.model, this.link.get("heading"));
    const sheet = new Sheet(520, 15, 22);
    sheet.heading(title);
    sheet.text(`What ${sum.convolution} adds up: patch × kernel = products, by input channel; red above 0, blue below`);
    for (const term of sum.terms) {
      sheet.add(70, (top) => {
        sheet.write(String(term.input), MARGIN, top + 20, { bold: true });
        for (const [at, values] of [term.patch, term.kernel, term.products].entries()) {
          const x = MARGIN + 60 + at * 90;
          sheet.context.imageSmoothingEnabled = false;
          sheet.context.drawImage(tile(sum, values), x, top, 60, 60);
          sheet.write(SIGNS[at]!, x + 68, top + 20);
        }
        sheet.write(number(term.added), MARGIN + 340, top + 20);
      });
    }
    sheet.text(sentenceOf(sum));
    for (const note of sum.notes) sheet.text(`⚠ ${note}`);
    return { canvas: sheet.finish(), name: fileName(...title) };
  }
}

function row(sum: Sum, term: Term): HTMLElement {
  const tiles = [term.patch, term.kernel, term.products].flatMap((values, at) => [
    h("td", {}, tile(sum, values)),
    h("td", {}, SIGNS[at]),
  ]);
  return h(
    "tr",
    { "data-input": term.input },
    h("th", { scope: "row" }, String(term.input)),
    ...tiles,
    h("td", {}, number(term.added)),
  );
}

/** Few numbers can be read one by one. */
const READABLE = 25;

function tile({ height, width }: Sum, values: Numbers): HTMLCanvasElement {
  const limit = largestOf(values);
  const listed = values.length <= READABLE ? [...values].map((value) => number(value)).join("  ") : "";
  const label = listed || `${height} × ${width} numbers, up to ${number(limit)} in size`;
  const canvas = h("canvas", { role: "img", "aria-label": label, title: label });
  putImage(canvas, new ImageData(signedPixels(values, limit), width, height));
  return canvas;
}

export default entry<CellSumState>("cell-sum", CellSumView);
