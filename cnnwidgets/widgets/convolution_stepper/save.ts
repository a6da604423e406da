/** The step on show as a PNG: input, patch, products and output, the kernel's numbers, and the sum in words. */
import { MARGIN, Sheet } from "../_maps/sheet";
import { h } from "../_shared/dom";
import { fileName, type Png, SaveButton, titleOf } from "../_shared/png";
import type { Link } from "../_shared/view";
import type { StepperState } from "./state";
import { brief } from "./words";

const SIDE = 220;
const GAP = 24;

/** A kernel's numbers, row by row: "1 0 −1 / 1 0 −1". */
export function kernelText(kernel: readonly (readonly number[])[]): string {
  return kernel.map((row) => row.map(brief).join(" ")).join(" / ");
}

/** The button; what it saves is what `root` shows. */
export function stepperSave(link: Link<StepperState>, root: HTMLElement): HTMLElement {
  const save = new SaveButton(() => sheetOf(link, root), "Save the step on show as a PNG");
  return h("span", { class: "cnnw-aside" }, save.element);
}

function sheetOf(link: Link<StepperState>, root: HTMLElement): Png {
  const figures = [...root.querySelectorAll("figure")].flatMap((figure) => {
    const canvas = figure.querySelector("canvas");
    return canvas && canvas.width > 0 && figure.checkVisibility() ? [{ canvas, figure }] : [];
  });
  const title = titleOf(link.model, link.get("heading") || "One filter, step by step");
  const sheet = new Sheet(Math.max(360, figures.length * (SIDE + GAP) - GAP), 15, 22);
  sheet.heading(title);
  sheet.add(SIDE + 2 * sheet.line, (top) => {
    sheet.context.imageSmoothingEnabled = false;
    for (const [at, { canvas, figure }] of figures.entries()) {
      const left = MARGIN + at * (SIDE + GAP);
      const factor = SIDE / Math.max(canvas.width, canvas.height);
      sheet.write(figure.querySelector("figcaption")?.textContent ?? "", left, top, {}, SIDE);
      sheet.context.drawImage(canvas, left, top + sheet.line, canvas.width * factor, canvas.height * factor);
    }
  });
  const channel = link.get("channel");
  const kernel = link.get("operation") === "conv" ? link.get("kernel")[channel] : undefined;
  if (kernel) sheet.text(`Kernel of input channel ${channel}, row by row: ${kernelText(kernel)}`);
  for (const text of root.querySelectorAll(".st-sentence, .st-notes p")) sheet.text(text.textContent ?? "");
  return { canvas: sheet.finish(), name: fileName(...title) };
}
