/** The stitched sheet of filters that Save makes. */
import { INK, MARGIN, Sheet, SOFT_INK } from "../_maps/sheet";
import { putImage } from "../_shared/dom";
import { captionOf, type Filter, type Filters } from "./cells";

const SIDE = 128;
const GAP = 10;
const LINE = 20;
const WIDEST = 1280;

/** A sheet of `inOrder`, with what is to be known of the pictures under it. */
export function gallerySheet(
  title: readonly string[],
  { names, unit, about, notes }: Filters,
  inOrder: readonly Filter[],
): HTMLCanvasElement {
  const width = names.length * (SIDE + 2);
  const columns = Math.max(1, Math.min(inOrder.length, Math.floor(WIDEST / (width + GAP))));
  const sheet = new Sheet(Math.max(columns * (width + GAP) - GAP, 420), 15, LINE);
  sheet.heading(title);
  for (let from = 0; from < inOrder.length; from += columns) {
    const row = inOrder.slice(from, from + columns);
    sheet.add(SIDE + LINE + GAP, (top) => {
      for (const [at, filter] of row.entries()) drawFilter(sheet, filter, MARGIN + at * (width + GAP), top);
    });
  }
  const pairs = names.length > 1 ? ` Of each filter: ${names.join(", ")}.` : "";
  sheet.text(`Numbers: filter, ${unit}, and × the largest of a photograph where known.${pairs}`);
  if (about) sheet.text(about);
  for (const note of notes) sheet.text(`⚠ ${note}`);
  return sheet.finish();
}

function drawFilter(sheet: Sheet, filter: Filter, left: number, top: number): void {
  const canvas = document.createElement("canvas");
  for (const [at, picture] of filter.pictures.entries()) {
    putImage(canvas, picture);
    const scale = SIDE / Math.max(picture.width, picture.height);
    sheet.context.imageSmoothingEnabled = scale < 1;
    const x = left + at * (SIDE + 2);
    sheet.context.drawImage(canvas, x, top, picture.width * scale, picture.height * scale);
  }
  sheet.write(String(filter.channel), left, top + SIDE, { bold: true, colour: INK });
  sheet.write(captionOf(filter), left + 44, top + SIDE, { colour: SOFT_INK }, SIDE - 44);
}
