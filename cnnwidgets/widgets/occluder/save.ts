/** What is seen as a PNG: the edited picture, the map of the sweep if there is one, and the words with them. */
import { colourStops, wrapped } from "../heatmap_overlay/save";

export interface Sheet {
  /** Each drawn over the ones before. */
  edited: HTMLCanvasElement[];
  map: HTMLCanvasElement[];
  /** Outlines of the patches, in pixels of the picture. */
  boxes: readonly { top: number; left: number; width: number; height: number }[];
  /** Stands above: what is hidden from which class, photograph, network. */
  title: string;
  words: string[];
  /** Ends of the colour bar; null: no bar. */
  ends: readonly [string, string, string] | null;
  legend: readonly { colour: string; text: string }[];
}

const MARGIN = 24;
const LINE = 26;
const SIDE = 480;

export function draw(sheet: Sheet): HTMLCanvasElement {
  const first = sheet.edited[0]!;
  const factor = SIDE / Math.max(first.width, first.height);
  const [width, height] = [Math.round(first.width * factor), Math.round(first.height * factor)];
  const two = sheet.map.length > 0;
  const across = Math.max(two ? 2 * width + MARGIN : width, 320);
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d")!;
  const font = `18px system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif`;
  context.font = font;
  const fit = (texts: string[]) =>
    texts.flatMap((text) => wrapped(text, across, (part) => context.measureText(part).width));
  const lines = fit(sheet.words);
  context.font = `600 ${font}`;
  const heading = fit([sheet.title]);
  context.font = font;
  const top = MARGIN + heading.length * LINE;
  const extra = two ? (sheet.ends ? 16 + LINE : 0) + sheet.legend.length * LINE : 0;
  canvas.width = across + 2 * MARGIN;
  canvas.height = top + height + 16 + extra + lines.length * LINE + MARGIN;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = first.width >= 112;
  const [right, below] = [MARGIN + width + MARGIN, top + height + 16];
  for (const layer of sheet.edited) {
    context.globalAlpha = layer === first ? 1 : 0.55;
    context.drawImage(layer, MARGIN, top, width, height);
  }
  context.globalAlpha = 1;
  for (const layer of sheet.map) context.drawImage(layer, right, top, width, height);
  for (const [colour, line] of [
    ["#000", 4],
    ["#fff", 2],
  ] as const) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    for (const box of sheet.boxes) {
      context.strokeRect(MARGIN + box.left * factor, top + box.top * factor, box.width * factor, box.height * factor);
    }
  }
  context.font = font;
  let y = below;
  if (two && sheet.ends) {
    const ramp = context.createLinearGradient(right, 0, right + width, 0);
    colourStops(ramp, "blue-red");
    context.fillStyle = ramp;
    context.fillRect(right, y, width, 16);
    context.fillStyle = "#1f2328";
    sheet.ends.forEach((label, i) => {
      context.textAlign = (["left", "center", "right"] as const)[i]!;
      context.fillText(label, right + (width * i) / 2, y + 16 + LINE * 0.8);
    });
    y += 16 + LINE;
  }
  context.textAlign = "left";
  if (two) {
    for (const { colour, text } of sheet.legend) {
      context.fillStyle = colour;
      context.fillRect(right, y + 6, 16, 16);
      context.fillStyle = "#1f2328";
      context.fillText(text, right + 24, y + 20, width - 24);
      y += LINE;
    }
  }
  context.fillStyle = "#1f2328";
  for (const text of lines) context.fillText(text, MARGIN, (y += LINE) - 6);
  context.font = `600 ${font}`;
  heading.forEach((text, i) => context.fillText(text, MARGIN, MARGIN + LINE * (i + 0.6)));
  return canvas;
}
