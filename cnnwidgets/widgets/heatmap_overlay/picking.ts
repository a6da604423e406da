/** What can be picked on the picture: marks, a region that is drawn, the segment under a click; and what is explained. */
import { type Pixel, pixelAt } from "../_maps/resample";
import { claim, h, putImage } from "../_shared/dom";
import type { Data, Link } from "../_shared/view";
import { type Box, boxBetween, type Mark, markAt, placed, regionImage } from "./boxes";
import type { OverlayState } from "./look";
import type { OverlayStage } from "./stage";
import "./picking.css";

/** Pixels of the screen: a pointer that moves less has clicked. */
const STILL = 4;
const HINTS = {
  none: "",
  marks: "Click a box to explain it.",
  region: "Click a segment, or draw a box, to explain that part.",
};

export class Picking {
  readonly element: HTMLElement;
  readonly #explains = h("span", { dir: "auto" });
  readonly #hint = h("span", { class: "cnnw-soft" });
  readonly #whole: HTMLElement;
  readonly #boxes = h("div", { class: "cnnw-layer cnnw-over", role: "group", "aria-label": "What can be picked" });
  readonly #frame = h("div", { class: "cnnw-ho-region cnnw-over", hidden: true, "aria-hidden": "true" });
  readonly #area = h("canvas", { class: "cnnw-ho-segment cnnw-layer cnnw-over", hidden: true, "aria-hidden": "true" });
  #segment: Data | null = null;
  #press: { pixel: Pixel; x: number; y: number } | null = null;
  #drawing: Box | null = null;
  /** Of a box that is drawn by keyboard. */
  #corner: Pixel | null = null;

  constructor(
    private readonly link: Link<OverlayState>,
    private readonly stage: OverlayStage,
  ) {
    const clear = () => this.#pick([]);
    this.#whole = h("button", { type: "button", class: "cnnw-plain cnnw-link", onclick: clear }, "Whole picture");
    const parts = [this.#explains, " ", this.#hint, " ", this.#whole];
    this.element = h("p", { class: "cnnw-ho-explains cnnw-above cnnw-wrap" }, ...parts);
    stage.element.append(this.#area, this.#frame, this.#boxes);
    this.#listen();
    link.watch(["explains", "picking", "marks", "marked", "region"], () => this.paint());
    link.receive("segment", (data) => {
      this.#segment = data;
      this.#paintRegion();
    });
  }

  paint(): void {
    const kind = this.link.get("picking");
    this.#explains.textContent = this.link.get("explains");
    this.element.hidden = this.#explains.textContent === "";
    this.#hint.textContent = kind === "marks" && this.link.get("marks").length === 0 ? "" : HINTS[kind];
    this.#whole.hidden = this.link.get("region").length === 0;
    this.stage.element.classList.toggle("is-region", kind === "region");
    this.#paintMarks();
    this.#paintRegion();
  }

  #pick(region: readonly number[]): void {
    if (region.join() !== this.link.get("region").join()) this.link.set("region", [...region]);
  }

  #pickAt(pixel: Pixel): void {
    if (this.link.get("picking") === "region") this.#pick(pixel);
    const mark = this.link.get("picking") === "marks" ? markAt(this.link.get("marks"), pixel) : null;
    if (mark) this.link.set("marked", mark.index);
  }

  #put(element: HTMLElement, box: Box): void {
    Object.assign(element.style, placed(box, this.stage.size()));
  }

  #paintMarks(): void {
    const marks = this.link.get("picking") === "marks" ? this.link.get("marks") : [];
    const focused = [...this.#boxes.children].indexOf(document.activeElement as Element);
    this.#boxes.replaceChildren(...marks.map((mark) => this.#markButton(mark)));
    if (focused >= 0) (this.#boxes.children[focused] as HTMLElement | undefined)?.focus();
  }

  #markButton({ index, label, box }: Mark): HTMLElement {
    const element = h(
      "button",
      {
        type: "button",
        class: "cnnw-ho-mark cnnw-over",
        "data-index": index,
        "aria-pressed": String(index === this.link.get("marked")),
        "aria-label": label,
        onclick: () => this.link.set("marked", index),
      },
      h("span", { class: "cnnw-cut", dir: "auto" }, label),
    );
    this.#put(element, box);
    element.classList.toggle("is-high", box[0] * 12 < this.stage.size()[0]);
    return element;
  }

  #paintRegion(): void {
    const region = this.link.get("region");
    const box = this.#drawing ?? (region.length === 4 ? (region as unknown as Box) : null);
    this.#frame.hidden = !box;
    if (box) this.#put(this.#frame, box);
    const inside = this.#segment?.arrays["inside"];
    this.#area.hidden = !inside || this.#drawing !== null || region.length !== 2;
    if (!inside || this.#area.hidden) return;
    const [height = 0, width = 0] = inside.shape;
    putImage(this.#area, regionImage(inside.data as Uint8Array, [height, width]));
  }

  #stopDrawing(): void {
    this.#press = this.#drawing = null;
    this.#paintRegion();
  }

  #listen(): void {
    const { map } = this.stage;
    const under = (event: PointerEvent) =>
      pixelAt(event.clientX, event.clientY, map.getBoundingClientRect(), this.stage.size());
    map.addEventListener("pointerdown", (event) => {
      if (this.link.get("picking") === "none" || event.button !== 0) return;
      this.#press = { pixel: under(event), x: event.clientX, y: event.clientY };
      map.setPointerCapture(event.pointerId);
    });
    map.addEventListener("pointermove", (event) => {
      const press = this.#press;
      if (!press || this.link.get("picking") !== "region") return;
      const far = Math.hypot(event.clientX - press.x, event.clientY - press.y) >= STILL;
      if (!far && !this.#drawing) return;
      this.#drawing = boxBetween(press.pixel, under(event));
      this.#paintRegion();
    });
    map.addEventListener("pointerup", (event) => {
      if (!this.#press) return;
      const box = this.#drawing;
      this.#stopDrawing();
      if (box) this.#pick(box);
      else this.#pickAt(under(event));
    });
    map.addEventListener("pointercancel", () => this.#stopDrawing());
    map.addEventListener("keydown", (event) => this.#onKey(event));
  }

  #onKey(event: KeyboardEvent): void {
    const pixel = this.stage.crosshair();
    const kind = this.link.get("picking");
    if (kind === "none") return;
    if (event.key === "Enter" && pixel && event.shiftKey && kind === "region") {
      if (this.#corner) this.#pick(boxBetween(this.#corner, pixel));
      this.#corner = this.#corner ? null : pixel;
    } else if (event.key === "Enter" && pixel) this.#pickAt(pixel);
    else if (event.key === "Escape") {
      this.#corner = null;
      if (this.#press) this.#stopDrawing();
      else this.#pick([]);
    } else return;
    claim(event);
  }
}
