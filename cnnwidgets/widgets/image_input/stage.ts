/** The image, on which a part is marked or a line is drawn. */
import { type Photo, photoImage } from "../_maps/photo";
import { claim, contextOf, h, putImage, s } from "../_shared/dom";
import { boxOf, type CropBox, isLarge, nudged } from "./state";

export type Tool = "look" | "crop" | "draw";

const NAMES: Record<Tool, string> = {
  look: "The image",
  crop: "The image: arrows move the frame, with shift they change its size, Enter crops, Escape leaves",
  draw: "The image: press and move to draw on it",
};
const MOST_HIGH = 300; // px
const START: CropBox = [0.1, 0.1, 0.9, 0.9];

export interface Pen {
  color: string;
  /** A share of the longer side. */
  width: number;
}

export class ImageStage {
  readonly #canvas = h("canvas", { class: "ii-canvas", role: "img", "aria-label": "The image" });
  readonly #frame = s("rect", { class: "ii-frame" });
  readonly #lines = s("svg", { class: "ii-lines", viewBox: "0 0 1 1", preserveAspectRatio: "none" }, this.#frame);
  readonly element = h("div", { class: "ii-stage" }, this.#canvas, this.#lines);
  #tool: Tool = "look";
  #box: CropBox | null = null;
  #from: [number, number] | null = null;
  #points: [number, number][] = [];

  constructor(
    private readonly pen: () => Pen,
    private readonly onbox: (box: CropBox | null) => void,
    private readonly oncrop: () => void,
    private readonly online: (points: [number, number][]) => void,
  ) {
    const { element } = this;
    element.addEventListener("pointerdown", (event) => this.#press(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"] as const) element.addEventListener(end, () => this.#release());
    element.addEventListener("keydown", (event) => this.#key(event));
  }

  get box(): CropBox | null {
    return this.#box && isLarge(this.#box) ? this.#box : null;
  }

  /** Another picture: a line that is being drawn on the one before is over. */
  show(photo: Photo): void {
    putImage(this.#canvas, photoImage(photo));
    const [height, width] = photo.size;
    this.element.style.aspectRatio = `${width} / ${height}`;
    this.element.style.maxWidth = `${Math.round((MOST_HIGH * width) / height)}px`;
    if (this.#points.length > 0) this.#redraw();
  }

  choose(tool: Tool): void {
    this.#tool = tool;
    const { element } = this;
    element.dataset["tool"] = tool;
    const isUsed = tool !== "look";
    element.toggleAttribute("tabindex", isUsed);
    if (isUsed) element.tabIndex = 0;
    for (const [name, value] of [
      ["role", "application"],
      ["aria-label", NAMES[tool]],
    ] as const) {
      if (isUsed) element.setAttribute(name, value);
      else element.removeAttribute(name);
    }
    this.#mark(tool === "crop" ? START : null);
  }

  #mark(box: CropBox | null): void {
    this.#box = box;
    this.#lines.toggleAttribute("hidden", !box);
    if (box) {
      const [top, left, bottom, right] = box;
      for (const [name, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top })) {
        this.#frame.setAttribute(name, String(value));
      }
    }
    this.onbox(this.box);
  }

  #shares(event: PointerEvent): [number, number] {
    const box = this.#canvas.getBoundingClientRect();
    return [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
  }

  #press(event: PointerEvent): void {
    if (event.button !== 0 || this.#tool === "look") return;
    event.preventDefault();
    this.element.setPointerCapture(event.pointerId);
    this.element.focus({ preventScroll: true });
    if (this.#tool === "crop") this.#from = this.#shares(event);
    else {
      this.#points = [this.#shares(event)];
      this.#redraw();
    }
  }

  #move(event: PointerEvent): void {
    if (this.#from) this.#mark(boxOf(this.#from, this.#shares(event)));
    else if (this.#points.length > 0) {
      this.#points.push(this.#shares(event));
      this.#redraw();
    }
  }

  #release(): void {
    const points = this.#points;
    // A click marks no part.
    if (this.#from && !this.box) this.#mark(START);
    this.#from = null;
    this.#points = [];
    if (points.length > 0)
      this.online(points.map(([down, across]) => [Number(down.toFixed(4)), Number(across.toFixed(4))]));
  }

  /** The line at once; Python's picture, which comes a moment later, has it, too. */
  #redraw(): void {
    const [context, canvas, { color, width }] = [contextOf(this.#canvas), this.#canvas, this.pen()];
    context.strokeStyle = context.fillStyle = color;
    context.lineWidth = Math.max(1, width * Math.max(canvas.width, canvas.height));
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    for (const [down, across] of this.#points) context.lineTo(across * canvas.width, down * canvas.height);
    const [first] = this.#points;
    if (first && this.#points.length === 1) context.lineTo(first[1] * canvas.width + 0.01, first[0] * canvas.height);
    context.stroke();
  }

  #key(event: KeyboardEvent): void {
    if (this.#tool !== "crop" || event.ctrlKey || event.metaKey || event.altKey) return;
    const box = nudged(this.#box ?? START, event.key, event.shiftKey);
    if (box) this.#mark(box);
    else if (event.key === "Enter") this.oncrop();
    else if (event.key === "Escape") this.#mark(START);
    else return;
    claim(event);
  }
}
