/** The kernels as a PNG, with what they are and what the colours mean. */
import type { ColormapName } from "../_maps/colormaps";
import { MARGIN, Sheet, SOFT_INK } from "../_maps/sheet";
import { fileName, type Png, titleOf } from "../_shared/png";
import type { Link } from "../_shared/view";
import type { KernelGridState, Kernels } from "./kernels";

const WIDTH = 1000;
const SIDE = 72;
const STEP = SIDE + 8;
const NAME = 20;
const MOST = 1024;

interface Picture {
  canvas: HTMLCanvasElement;
  name: string;
}

export function kernelSheet(
  link: Link<KernelGridState>,
  kernels: Kernels,
  pictures: Picture[],
  colormap: ColormapName | null,
  labels: string[],
): Png {
  const sheet = new Sheet(WIDTH, 14, 20);
  const title = titleOf(link.model, kernels.layer ? `Kernels of ${kernels.layer}` : "Kernels");
  sheet.heading(title);
  const [input, drawn] = [link.get("input"), pictures.slice(0, MOST)];
  const facts = [kernels.facts, input === null ? "" : `input channel ${input}`, `by ${link.get("sort")}`];
  if (drawn.length < pictures.length) facts.push(`the first ${MOST}`);
  sheet.text([...facts.filter(Boolean), ...kernels.notes].join("; "));
  const across = Math.floor((WIDTH + 8) / STEP);
  for (let start = 0; start < drawn.length; start += across) {
    const row = drawn.slice(start, start + across);
    sheet.add(STEP + NAME, (top) => {
      for (const [i, picture] of row.entries()) drawOne(sheet, picture, MARGIN + i * STEP, top);
    });
  }
  const [low = "", middle = "", high = ""] = labels;
  if (colormap) sheet.bar(colormap, [low, middle, high]);
  else sheet.text(low);
  return { canvas: sheet.finish(), name: fileName(...title) };
}

function drawOne(sheet: Sheet, { canvas, name }: Picture, left: number, top: number): void {
  const factor = Math.min(SIDE / canvas.width, SIDE / canvas.height);
  const [width, height] = [canvas.width * factor, canvas.height * factor];
  sheet.context.imageSmoothingEnabled = false;
  sheet.context.drawImage(canvas, left + (SIDE - width) / 2, top + (SIDE - height) / 2, width, height);
  sheet.write(name, left, top + SIDE, { colour: SOFT_INK }, SIDE);
}
