/** The whole panel as a picture. */
import { drawActivation, strongest } from "../_maps/mosaic";
import { MARGIN, Sheet, SOFT_INK } from "../_maps/sheet";
import { putImage } from "../_shared/dom";
import { number } from "../_shared/format";
import { alikenessOf, type MadeImage, type Patches, strengthOf, WORTH } from "./content";

export interface PanelPicture {
  title: readonly string[];
  kernel: HTMLCanvasElement | null;
  /** What the ends of its colours stand for. */
  weights: readonly string[];
  patches: Patches | null;
  image: MadeImage | null;
  overlaid: boolean;
  source: string;
  sentence: string;
}

const SIDE = 150;
const GAP = 10;
const LINE = 20;
const COLUMNS = 3;
const LEFT = 200;

export function panelSheet(panel: PanelPicture): HTMLCanvasElement {
  const { patches, image, sentence } = panel;
  const sheet = new Sheet(LEFT + GAP + COLUMNS * (SIDE + GAP) - GAP, 15, LINE);
  sheet.heading(panel.title);
  const all = patches?.patches ?? [];
  const rows = Math.ceil(all.length / COLUMNS);
  sheet.add(Math.max(rows * (SIDE + LINE + GAP), 2 * (LEFT + LINE)), (top) => {
    drawLeft(sheet, panel, top);
    drawPatches(sheet, panel, top);
  });
  const limit = strongest(all.flatMap(({ map }) => map ?? []));
  if (panel.overlaid && limit > 0) sheet.bar("inferno", ["0", "activation in the patches", number(limit)]);
  if (panel.weights.length > 0) sheet.text(`Colours of the kernel: ${panel.weights.join(" · ")}.`);
  if (panel.source) sheet.text(panel.source);
  if (sentence) sheet.text(sentence);
  if (image)
    for (const line of [`Made: ${image.about}`, strengthOf(image), alikenessOf(image), WORTH]) {
      if (line) sheet.text(line);
    }
  for (const note of [...(patches?.notes ?? []), ...(image?.notes ?? [])]) sheet.text(`⚠ ${note}`);
  return sheet.finish();
}

function drawLeft(sheet: Sheet, { kernel, image }: PanelPicture, top: number): void {
  const canvas = document.createElement("canvas");
  if (image?.picture) putImage(canvas, image.picture);
  const pictures = [
    ["kernel", kernel],
    ["made to maximise it", image?.picture ? canvas : null],
  ] as const;
  let y = top;
  for (const [name, picture] of pictures) {
    if (!picture) continue;
    const scale = LEFT / Math.max(picture.width, picture.height);
    sheet.context.imageSmoothingEnabled = scale < 1;
    sheet.context.drawImage(picture, MARGIN, y, picture.width * scale, picture.height * scale);
    y += picture.height * scale;
    sheet.write(name, MARGIN, y, { colour: SOFT_INK });
    y += LINE + GAP;
  }
}

function drawPatches(sheet: Sheet, { patches, overlaid }: PanelPicture, top: number): void {
  const all = patches?.patches ?? [];
  const limit = strongest(all.flatMap(({ map }) => map ?? []));
  for (const [at, { picture, map, value, name, extent }] of all.entries()) {
    const left = MARGIN + LEFT + GAP + (at % COLUMNS) * (SIDE + GAP);
    const y = top + Math.floor(at / COLUMNS) * (SIDE + LINE + GAP);
    const canvas = document.createElement("canvas");
    drawActivation(canvas, picture, overlaid ? map : null, limit, extent);
    const scale = SIDE / Math.max(canvas.width, canvas.height);
    sheet.context.drawImage(canvas, left, y, canvas.width * scale, canvas.height * scale);
    sheet.write(`${number(value)}  ${name}`, left, y + SIDE, { colour: SOFT_INK }, SIDE);
  }
}
