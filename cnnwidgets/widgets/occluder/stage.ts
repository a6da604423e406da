/** The picture with its patches: pixels on a canvas, outlines above it, and what the pointer does. */
import { table } from "../_shared/colormaps";
import { h, s } from "../_shared/dom";
import type { Extent } from "../_shared/extent";
import { opaque } from "../_shared/paint";
import { laid, OUTSIDE } from "../heatmap_overlay/laid";
import type { Size } from "../heatmap_overlay/resample";
import { type Photo, pixelsOf } from "./fills";
import type { Patch } from "./state";

export interface Heat {
  id: number;
  size: Size;
  values: Float32Array;
  extent: Extent;
}

export interface Shown {
  photo: Photo;
  patches: readonly Patch[];
  selected: number | null;
  /** A patch that would be put where the pointer is, or a place that would be copied. */
  ghost: Patch | null;
  heat: Heat | null;
  /** The first is said beside the patch, the others where there is room. */
  tip: readonly string[];
}

export interface Handlers {
  press(row: number, column: number): void;
  drag(row: number, column: number): void;
  release(): void;
  hover(place: readonly [number, number] | null): void;
  /** Returns whether the wheel was used. */
  wheel(steps: number, row: number, column: number): boolean;
  key(event: KeyboardEvent): void;
}

const TINY = 112;
const ROOM = 270;
const NOTCH = 100;
/** Pixels, lines of which a notch has about three, pages. */
const WHEEL_UNITS = [1, 34, 100];

export function stage(handlers: Handlers) {
  const canvas = h("canvas", { class: "oc-photo" });
  const heat = h("canvas", { class: "oc-heat" });
  const lines = s("svg", { class: "oc-lines", preserveAspectRatio: "none" });
  const tip = h("div", { class: "oc-tip", dir: "auto" });
  const element = h(
    "div",
    { class: "oc-stage", tabindex: 0, role: "application", "aria-roledescription": "picture with patches" },
    canvas,
    heat,
    lines,
    tip,
  );
  let shown: Shown | null = null;
  let base: { id: number; image: ImageData } | null = null;
  let painted: { of: Heat; image: ImageData } | null = null;
  let pressed: number | null = null;

  const pixelAt = (event: MouseEvent): [number, number] => {
    const box = canvas.getBoundingClientRect();
    const [height, width] = shown?.photo.size ?? [1, 1];
    return [((event.clientY - box.top) / box.height) * height, ((event.clientX - box.left) / box.width) * width];
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !shown) return;
    pressed = event.pointerId;
    element.setPointerCapture(event.pointerId);
    element.focus({ preventScroll: true });
    handlers.press(...pixelAt(event));
  });
  element.addEventListener("pointermove", (event) => {
    if (pressed === event.pointerId) handlers.drag(...pixelAt(event));
    else if (pressed === null) handlers.hover(pixelAt(event));
  });
  const release = (event: PointerEvent) => {
    if (pressed !== event.pointerId) return;
    pressed = null;
    handlers.release();
  };
  element.addEventListener("pointerup", release);
  element.addEventListener("pointercancel", release);
  element.addEventListener("lostpointercapture", release);
  element.addEventListener("pointerleave", () => handlers.hover(null));
  let turned = 0;
  element.addEventListener(
    "wheel",
    (event) => {
      const turn = event.deltaY * (WHEEL_UNITS[event.deltaMode] ?? 1);
      // A notch is one step, whatever it counts here; a touchpad sends many small turns.
      turned = Math.abs(turn) >= NOTCH / 2 ? NOTCH * Math.sign(turn) : turned + turn;
      const steps = -Math.trunc(turned / NOTCH);
      if (!handlers.wheel(steps, ...pixelAt(event))) {
        turned = 0;
        return;
      }
      turned += steps * NOTCH;
      event.preventDefault();
    },
    { passive: false },
  );
  element.addEventListener("keydown", (event) => handlers.key(event));

  function paintPhoto({ photo, patches }: Shown): void {
    const [height, width] = photo.size;
    if (base?.id !== photo.id) {
      base = { id: photo.id, image: new ImageData(opaque(photo.pixels), width, height) };
      [canvas.height, canvas.width] = [height, width];
      lines.setAttribute("viewBox", `0 0 ${width} ${height}`);
      element.style.aspectRatio = `${width} / ${height}`;
      element.classList.toggle("is-tiny", Math.max(height, width) < TINY);
    }
    const context = canvas.getContext("2d")!;
    context.putImageData(base.image, 0, 0);
    for (const patch of patches) {
      const pixels = pixelsOf(photo, patch);
      context.putImageData(new ImageData(pixels, patch.width, patch.height), patch.left, patch.top);
    }
  }

  function paintHeat({ heat: wanted, photo: { size }, patches }: Shown): void {
    heat.hidden = !wanted;
    if (!wanted) return;
    const [height, width] = size;
    if (wanted !== painted?.of || painted.image.height !== height || painted.image.width !== width) {
      const pixels = heatPixels(laid(wanted.values, wanted.size, size, true, wanted.extent));
      painted = { of: wanted, image: new ImageData(pixels, width, height) };
      [heat.height, heat.width] = [height, width];
    }
    const context = heat.getContext("2d")!;
    context.putImageData(painted.image, 0, 0);
    // A patch is seen as the network sees it.
    for (const { left, top, width: across, height: down } of patches) context.clearRect(left, top, across, down);
  }

  function outline({ patches, selected, ghost }: Shown): void {
    const box = (patch: Patch, kind: string) =>
      ["dark", "light"].map((tone) =>
        s("rect", {
          x: patch.left,
          y: patch.top,
          width: patch.width,
          height: patch.height,
          class: `oc-line is-${tone} ${kind}`,
        }),
      );
    const drawn = patches.flatMap((patch, i) => box(patch, i === selected ? "is-selected" : "is-other"));
    lines.replaceChildren(...drawn, ...(ghost ? box(ghost, "is-ghost") : []));
  }

  function place({ photo, patches, selected, tip: words }: Shown): void {
    const patch = patches[selected ?? patches.length - 1];
    tip.hidden = words.length === 0 || !patch;
    if (tip.hidden || !patch) return;
    tip.textContent = (element.clientWidth < ROOM ? words.slice(0, 1) : words).join(" · ");
    const [height, width] = photo.size;
    const below = patch.top / height < 0.14;
    const room = element.clientWidth;
    const half = tip.offsetWidth / 2;
    const middle = ((patch.left + patch.width / 2) / width) * room;
    tip.style.left = `${Math.min(Math.max(middle, half), Math.max(room - half, half))}px`;
    tip.style.top = `${(100 * (below ? Math.min(patch.top + patch.height, height * 0.9) : patch.top)) / height}%`;
    tip.classList.toggle("is-below", below);
  }

  return {
    element,
    canvas,
    heat,
    update(wanted: Shown): void {
      shown = wanted;
      paintPhoto(wanted);
      paintHeat(wanted);
      outline(wanted);
      place(wanted);
    },
  };
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
