/** A page for Save, made in the browser: titles, pictures, colour bars and sentences on white, from top to bottom. */
import { contextOf } from "../_shared/dom";
import { type ColormapName, table } from "./colormaps";

export const MARGIN = 24;
export const INK = "#1f2328";
export const SOFT_INK = "#59636e";
/** A sheet has twice the screen's resolution, unless a side would be longer than browsers draw. */
const TIMES = 2;
const LONGEST = 8192;
const FONT = 'system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif';

interface TextStyle {
  bold?: boolean;
  colour?: string;
  align?: "left" | "center" | "right";
}

/** Breaks `text` so that no line is wider than `width`, inside words where there is no other way. */
export function wrapped(text: string, width: number, measure: (text: string) => number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const piece of text.match(/\S+\s*/gu) ?? []) {
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

export class Sheet {
  readonly canvas = document.createElement("canvas");
  readonly context = contextOf(this.canvas);
  readonly #steps: (() => void)[] = [];
  #bottom = MARGIN;

  /** `width` is that of the contents, `size` that of the letters and `line` the distance of two lines, in pixels. */
  constructor(
    readonly width: number,
    private readonly size = 18,
    readonly line = 26,
  ) {}

  /** Keeps `height` free; `draw` is called at the end, with its top. */
  add(height: number, draw?: (top: number) => void): void {
    const top = this.#bottom;
    if (draw) this.#steps.push(() => draw(top));
    this.#bottom += height;
  }

  heading(title: readonly string[]): void {
    for (const line of this.fit(title.join(" · "), this.width, true)) {
      this.add(this.line, (top) => this.write(line, MARGIN, top - 0.2 * this.line, { bold: true }));
    }
  }

  text(text: string, align: "left" | "center" = "left"): void {
    const x = align === "left" ? MARGIN : MARGIN + this.width / 2;
    for (const line of this.fit(text, this.width)) this.add(this.line, (top) => this.write(line, x, top, { align }));
  }

  /** A colour bar over all of the width, with the numbers at its left, middle and right under it. */
  bar(name: ColormapName | null, labels: readonly [string, string, string]): void {
    this.add(16 + this.line, (top) => this.ramp(name, labels, MARGIN, top, this.width));
  }

  fit(text: string, width: number, bold = false): string[] {
    this.#setFont(bold);
    return wrapped(text, width, (part) => this.context.measureText(part).width);
  }

  /** As much of `text` as fits on a line of `width`. */
  cut(text: string, width: number, bold = false): string {
    const [first = "", ...rest] = this.fit(text, width, bold);
    return rest.length > 0 ? `${first}…` : first;
  }

  /** Writes one line of text whose top is at `top`. */
  write(text: string, x: number, top: number, style: TextStyle = {}, width?: number): void {
    const { context } = this;
    const { bold = false, colour = INK, align = "left" } = style;
    this.#setFont(bold);
    context.fillStyle = colour;
    context.textAlign = align;
    context.fillText(text, x, top + 0.8 * this.line, width);
  }

  /** Draws a colour bar; null: only its labels. */
  ramp(
    name: ColormapName | null,
    labels: readonly [string, string, string],
    left: number,
    top: number,
    width: number,
    height = 16,
  ): void {
    if (name) {
      const colours = table(name);
      const ramp = this.context.createLinearGradient(left, 0, left + width, 0);
      for (let i = 0; i < 256; i += 3) ramp.addColorStop(i / 255, `rgb(${colours.slice(i * 3, i * 3 + 3).join(",")})`);
      this.context.fillStyle = ramp;
      this.context.fillRect(left, top, width, height);
    }
    const aligns = ["left", "center", "right"] as const;
    for (const [i, align] of aligns.entries()) this.write(labels[i]!, left + (width * i) / 2, top + height, { align });
  }

  finish(): HTMLCanvasElement {
    const { canvas, context } = this;
    const [width, height] = [this.width + 2 * MARGIN, this.#bottom + MARGIN];
    const times = Math.min(TIMES, Math.max(1, LONGEST / Math.max(width, height)));
    [canvas.width, canvas.height] = [Math.round(width * times), Math.round(height * times)];
    context.scale(times, times);
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    context.imageSmoothingQuality = "high";
    for (const step of this.#steps) step();
    return canvas;
  }

  #setFont(bold: boolean): void {
    this.context.font = `${bold ? "600 " : ""}${this.size}px ${FONT}`;
  }
}
