/** The picture with its patches: pixels on a canvas, outlines above it, and what the pointer does. */
import { table } from "../_maps/colormaps";
import type { Heat } from "../_maps/heat";
import { type Photo, photoImage } from "../_maps/photo";
import { OUTSIDE, resample } from "../_maps/resample";
import { changes, claim, contextOf, h, putImage, s } from "../_shared/dom";
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

const TINY = 112;
const ROOM = 270;
const NOTCH = 100;
/** Pixels, lines of which a notch has about three, pages. */
const WHEEL_UNITS = [1, 34, 100];

export class PatchStage {
  readonly canvas = h("canvas", { class: "oc-photo cnnw-layer" });
  readonly heat = h("canvas", { class: "oc-heat cnnw-layer" });
  readonly element: HTMLElement;
  /** Where the pointer hovers, in pixels of the picture; null: not over it, or it presses. */
  pointer: readonly [row: number, column: number] | null = null;
  readonly #lines = s("svg", { class: "oc-lines cnnw-layer", preserveAspectRatio: "none" });
  readonly #tip = h("div", { class: "oc-tip cnnw-small cnnw-wrap cnnw-figures", dir: "auto" });
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
    this.element = h("div", { class: "oc-stage", tabindex: 0, ...role }, ...parts);
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
    if (!heat) return;
    const [height, width] = size;
    if (this.#heatChanged(heat, height, width) || !this.#heatImage) {
      const values = resample(heat.values, heat.size, size, true, heat.extent);
      this.#heatImage = new ImageData(heatPixels(values), width, height);
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

/** RGBA: the larger the value, the brighter and the more opaque; nothing where it is not positive. */
export function heatPixels(values: Float32Array): Uint8ClampedArray<ArrayBuffer> {
  const out = new Uint8ClampedArray(values.length * 4);
  let limit = 0;
  for (const value of values) if (value > limit && Number.isFinite(value)) limit = value;
  if (limit === 0) return out;
  const colours = table("inferno");
  for (let i = 0; i < values.length; i += 1) {
    const share = Math.min(values[i]! / limit, 1);
    if (!(share > 0) || values[i] === OUTSIDE) continue;
    const at = Math.round(share * 255) * 3;
    out.set([colours[at]!, colours[at + 1]!, colours[at + 2]!, Math.round(255 * share)], i * 4);
  }
  return out;
}
