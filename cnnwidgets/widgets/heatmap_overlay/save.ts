/** The panel as a PNG, made in the browser: photograph, map, colour bar, caption, and the warnings with it. */
import { type ColormapName, table } from "../_shared/colormaps";
import { type Ends, MIXED } from "./bar";
import { barLabels } from "./scale";

export interface Sheet extends Ends {
  photo: HTMLCanvasElement;
  map: HTMLCanvasElement;
  opacity: number;
  smooth: boolean;
  /** Stands above: method, layer and class, photograph, network. */
  title: string[];
  /** Below the colour bar. */
  said: string[];
}

const MARGIN = 24;
const LINE = 26;

/** Breaks `text` so that no line is wider than `width`, inside words where there is no other way. */
export function wrapped(text: string, width: number, measure: (text: string) => number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const piece of text.match(/\S+\s*/g) ?? []) {
    if (line && measure((line + piece).trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = "";
    }
    for (const letter of piece) {
      if (line && measure((line + letter).trimEnd()) > width) {
        lines.push(line);
        line = "";
      }
      line += letter;
    }
  }
  if (line.trim()) lines.push(line.trimEnd());
  return lines;
}

export function draw(sheet: Sheet): HTMLCanvasElement {
  const { photo, map, limit, clipped, mixed } = sheet;
  const sign = mixed ? "signed" : sheet.sign;
  const factor = Math.min(Math.max(1, 720 / photo.width), 4096 / Math.max(photo.width, photo.height));
  const width = Math.max(1, Math.round(photo.width * factor));
  const height = Math.max(1, Math.round(photo.height * factor));
  const line = Math.max(width, 360);
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d")!;
  const font = `18px system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif`;
  context.font = font;
  const fit = (texts: string[]) =>
    texts.flatMap((text) => wrapped(text, line, (part) => context.measureText(part).width));
  const lines = fit(sheet.said);
  context.font = `600 ${font}`;
  const heading = fit([sheet.title.join(" · ")]);
  context.font = font;
  const top = MARGIN + heading.length * LINE;
  const unit = [sheet.unit, mixed && MIXED];
  const unitLines = wrapped(unit.filter(Boolean).join(" · "), line, (part) => context.measureText(part).width);
  const barTop = top + height + 16;
  canvas.width = line + 2 * MARGIN;
  canvas.height = barTop + 16 + LINE * (1 + unitLines.length + lines.length) + MARGIN;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.imageSmoothingEnabled = !photo.classList.contains("is-tiny");
  context.drawImage(photo, MARGIN, top, width, height);
  context.imageSmoothingEnabled = sheet.smooth;
  context.globalAlpha = sheet.opacity;
  context.drawImage(map, MARGIN, top, width, height);
  context.globalAlpha = 1;
  if (limit > 0) {
    const ramp = context.createLinearGradient(MARGIN, 0, MARGIN + line, 0);
    colourStops(ramp, mixed ? "gray" : sheet.name);
    context.fillStyle = ramp;
    context.fillRect(MARGIN, barTop, line, 16);
  }
  context.font = font;
  context.fillStyle = "#1f2328";
  let y = barTop + 16 + LINE * 0.8;
  barLabels(limit, sign, clipped).forEach((label, i) => {
    context.textAlign = (["left", "center", "right"] as const)[i]!;
    context.fillText(label, MARGIN + (line * i) / 2, y);
  });
  context.textAlign = "center";
  for (const text of unitLines) context.fillText(text, MARGIN + line / 2, (y += LINE));
  context.textAlign = "left";
  for (const text of lines) context.fillText(text, MARGIN, (y += LINE));
  context.font = `600 ${font}`;
  heading.forEach((text, i) => context.fillText(text, MARGIN, MARGIN + LINE * (i + 0.6)));
  return canvas;
}

/** The colours of a colour map along a gradient. */
export function colourStops(ramp: CanvasGradient, name: ColormapName): void {
  const colours = table(name);
  for (let i = 0; i < 256; i += 3) ramp.addColorStop(i / 255, `rgb(${colours.slice(i * 3, i * 3 + 3).join(",")})`);
}
