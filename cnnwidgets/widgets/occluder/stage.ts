/** The picture with its patches: pixels on a canvas, outlines above it, and what the pointer does. */
import { type BarScale, ColourBar } from "../_maps/controls";
import { type Heat, viewOf } from "../_maps/heat";
import { heatImage } from "../_maps/paint";
import { type Photo, photoImage } from "../_maps/photo";
import { changes, claim, contextOf, h, putImage, s, setText } from "../_shared/dom";
import type { Editor } from "./editor";
import { pixelsOf } from "./fills";
import { hit, patchOutline } from "./geometry";
import type { Patch } from "./state";

export interface PatchScene {
  photo: Photo;
  patches: readonly Patch[];
  selected: number | null;
  /** A patch that would be put where the pointer is, or a place that would be copied. */
  ghost: Patch | null;
  heat: Heat | null;
  /** The first is said beside the patch, the others where there is room. */
  tip: readonly string[];
}

/** The scale of the map over the picture, and its unit, or why nothing is painted. */
export type HeatScale = BarScale & { unit: string };

const BAR = "What the colours over the picture stand for. Small values let the picture through";
const TINY = 112;
const ROOM = 270;
const NOTCH = 100;
/** Pixels, lines of which a notch has about three, pages. */
const WHEEL_UNITS = [1, 34, 100];

export class PatchStage {
  readonly canvas = h("canvas", { class: "oc-photo cnnw-layer" });
  readonly heat = h("canvas", { class: "oc-heat cnnw-layer cnnw-over" });
  readonly heatBar = new ColourBar("oc-heat");
  /** Of the map that is painted; null: there is none. */
  scale: HeatScale | null = null;
  readonly element: HTMLElement;
  /** Where the pointer hovers, in pixels of the picture; null: not over it, or it presses. */
  pointer: readonly [row: number, column: number] | null = null;
  readonly #lines = s("svg", { class: "oc-lines cnnw-layer cnnw-over", preserveAspectRatio: "none" });
  readonly #tip = h("div", { class: "oc-tip cnnw-over cnnw-small cnnw-wrap cnnw-figures", dir: "auto" });
  readonly #heatChanged = changes();
  #scene: PatchScene | null = null;
  #base: { photo: Photo; image: ImageData } | null = null;
  #heatImage: ImageData | null = null;
  #pressed: number | null = null;
  #turned = 0;

  /** `onhover` is called when the pointer hovers elsewhere. */
  constructor(
    private readonly editor: Editor,
    private readonly onhover: () => void,
  ) {
    const role = { role: "application", "aria-roledescription": "picture with patches" };
    const parts = [this.canvas, this.heat, this.#lines, this.#tip];
    this.element = h("div", { class: "oc-stage cnnw-around", tabindex: 0, ...role }, ...parts);
    this.heatBar.element.title = BAR;
    this.heatBar.middle.classList.add("cnnw-cut");
    this.#listenToPointer();
    this.element.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
  }

  update(scene: PatchScene): void {
    this.#scene = scene;
    this.element.classList.toggle("is-picking", this.editor.picking);
    this.element.classList.toggle("is-held", this.editor.dragging);
    this.#paintPhoto(scene);
    this.#paintHeat(scene);
    const { patches, selected, ghost } = scene;
    const outlines = patches.flatMap((patch, i) => patchOutline(patch, i === selected ? "is-selected" : "is-other"));
    this.#lines.replaceChildren(...outlines, ...(ghost ? patchOutline(ghost, "is-ghost") : []));
    this.#putTip(scene);
  }

  #paintPhoto({ photo, patches }: PatchScene): void {
    const [height, width] = photo.size;
    if (this.#base?.photo.id !== photo.id) {
      this.#lines.setAttribute("viewBox", `0 0 ${width} ${height}`);
      this.element.style.aspectRatio = `${width} / ${height}`;
      this.element.classList.toggle("is-tiny", Math.max(height, width) < TINY);
      this.#base = { photo, image: photoImage(photo) };
    }
    putImage(this.canvas, this.#base.image);
    const context = contextOf(this.canvas);
    for (const patch of patches) {
      const image = new ImageData(pixelsOf(photo, patch), patch.width, patch.height);
      context.putImageData(image, patch.left, patch.top);
    }
  }

  #paintHeat({ heat, photo: { size }, patches }: PatchScene): void {
    this.heat.hidden = !heat;
    // Its room is kept, so that what is below stays where it is.
    this.heatBar.element.style.visibility = heat ? "visible" : "hidden";
    this.heatBar.element.ariaHidden = String(!heat);
    this.scale = null;
    if (!heat) return;
    const view = viewOf(heat, "positive");
    const unit = view.limit > 0 ? heat.unit : "No place speaks for the class";
    this.scale = { ...view, name: "inferno", clipped: false, unit };
    if (this.#heatChanged(heat, ...size) || !this.#heatImage) {
      const colouring = { ...this.scale, partial: heat.partial, fades: true };
      this.#heatImage = heatImage(heat, view, size, true, colouring);
      this.heatBar.update(this.scale, unit);
      setText(this.heatBar.middle, unit);
    }
    putImage(this.heat, this.#heatImage);
    const context = contextOf(this.heat);
    // A patch is seen as the network sees it.
    for (const patch of patches) context.clearRect(patch.left, patch.top, patch.width, patch.height);
  }

  #putTip({ photo, patches, selected, tip: texts }: PatchScene): void {
    const tip = this.#tip;
    const patch = patches[selected ?? patches.length - 1];
    tip.hidden = texts.length === 0 || !patch;
    if (tip.hidden || !patch) return;
    const room = this.element.clientWidth;
    tip.textContent = (room < ROOM ? texts.slice(0, 1) : texts).join(" · ");
    const [height, width] = photo.size;
    const below = patch.top / height < 0.14;
    const half = tip.offsetWidth / 2;
    const middle = ((patch.left + patch.width / 2) / width) * room;
    tip.style.left = `${Math.min(Math.max(middle, half), Math.max(room - half, half))}px`;
    tip.style.top = `${(100 * (below ? Math.min(patch.top + patch.height, height * 0.9) : patch.top)) / height}%`;
    tip.style.transform = `translate(-50%, ${below ? "6px" : "calc(-100% - 6px)"})`;
  }

  #pixelAt(event: MouseEvent): [row: number, column: number] {
    const box = this.canvas.getBoundingClientRect();
    const [height, width] = this.#scene?.photo.size ?? [1, 1];
    return [((event.clientY - box.top) / box.height) * height, ((event.clientX - box.left) / box.width) * width];
  }

  #listenToPointer(): void {
    const { element, editor } = this;
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.#scene) return;
      this.#pressed = event.pointerId;
      element.setPointerCapture(event.pointerId);
      element.focus({ preventScroll: true });
      this.pointer = null;
      editor.press(...this.#pixelAt(event));
    });
    element.addEventListener("pointermove", (event) => {
      if (this.#pressed === event.pointerId) editor.drag(...this.#pixelAt(event));
      else if (this.#pressed === null) this.#hover(this.#pixelAt(event));
    });
    const release = (event: PointerEvent) => {
      if (this.#pressed !== event.pointerId) return;
      this.#pressed = null;
      editor.release();
    };
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
      element.addEventListener(end, release);
    }
    element.addEventListener("pointerleave", () => this.#hover(null));
  }

  #hover(pointer: readonly [number, number] | null): void {
    this.pointer = pointer;
    this.onhover();
  }

  #onWheel(event: WheelEvent): void {
    const turn = event.deltaY * (WHEEL_UNITS[event.deltaMode] ?? 1);
    // A notch is one step, whatever it counts here; a touchpad sends many small turns.
    this.#turned = Math.abs(turn) >= NOTCH / 2 ? NOTCH * Math.sign(turn) : this.#turned + turn;
    const over = hit(this.editor.patches, ...this.#pixelAt(event)) !== null || document.activeElement === this.element;
    if (!this.editor.current || !over) {
      this.#turned = 0;
      return;
    }
    const steps = -Math.trunc(this.#turned / NOTCH);
    this.editor.grow(steps);
    this.#turned += steps * NOTCH;
    event.preventDefault();
  }

  #onKey(event: KeyboardEvent): void {
    const control = event.ctrlKey || event.metaKey;
    if (!event.altKey && this.editor.key(event.key, { shift: event.shiftKey, control })) claim(event);
  }
}
