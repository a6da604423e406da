/** Patches on a picture: where they may be, which one is hit, how they grow; and the places of a sweep. */
import type { Size } from "../_maps/resample";
import { s } from "../_shared/dom";
import type { Patch } from "./state";

function between(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), Math.max(least, most));
}

/** Whole pixels, and the middle of the patch inside the picture. */
export function within(patch: Patch, [height, width]: Size): Patch {
  const [above, before] = [Math.floor(patch.height / 2), Math.floor(patch.width / 2)];
  return {
    ...patch,
    top: between(Math.round(patch.top), -above, height - 1 - above),
    left: between(Math.round(patch.left), -before, width - 1 - before),
  };
}

/** A patch whose middle is at (row, column). */
export function centred(patch: Patch, row: number, column: number, size: Size): Patch {
  const [top, left] = [Math.round(row - patch.height / 2), Math.round(column - patch.width / 2)];
  return within({ ...patch, top, left }, size);
}

/** The topmost patch at (row, column); null if there is none. */
export function hit(patches: readonly Patch[], row: number, column: number): number | null {
  for (let i = patches.length - 1; i >= 0; i -= 1) {
    const { top, left, height, width } = patches[i]!;
    if (row >= top && row < top + height && column >= left && column < left + width) return i;
  }
  return null;
}

/** The next side in a geometric series, at least one pixel on. */
export function nextSide(side: number, steps: number, most: number): number {
  const next = Math.round(side * 1.12 ** steps);
  return between(next === side ? side + Math.sign(steps) : next, 1, most);
}

/** The patch with another longer side, about the same middle and in the same proportions. */
export function resized(patch: Patch, side: number, size: Size): Patch {
  const factor = side / Math.max(patch.height, patch.width);
  const height = Math.max(1, Math.round(patch.height * factor));
  const width = Math.max(1, Math.round(patch.width * factor));
  const top = Math.round(patch.top + (patch.height - height) / 2);
  const left = Math.round(patch.left + (patch.width - width) / 2);
  return within({ ...patch, top, left, height, width }, size);
}

/** Where a key moves the patch; null if the key moves nothing. `far`: by the patch's own side. */
export function movedBy(key: string, patch: Patch, far: boolean, size: Size): Patch | null {
  const { top, left, height, width } = patch;
  const [down, right] = far ? [height, width] : [1, 1];
  const moves: Record<string, Partial<Patch>> = {
    ArrowUp: { top: top - down },
    ArrowDown: { top: top + down },
    ArrowLeft: { left: left - right },
    ArrowRight: { left: left + right },
    Home: { left: 0 },
    End: { left: Math.max(0, size[1] - width) },
    PageUp: { top: 0 },
    PageDown: { top: Math.max(0, size[0] - height) },
  };
  return Object.hasOwn(moves, key) ? within({ ...patch, ...moves[key] }, size) : null;
}

/** Where another patch goes: in the middle, or diagonally beside what is there. */
export function freePlace(patches: readonly Patch[], fresh: Patch, size: Size): Patch {
  let patch = centred(fresh, size[0] / 2, size[1] / 2, size);
  const step = Math.max(1, Math.round(fresh.height / 2));
  const isTaken = (at: Patch) => patches.some(({ top, left }) => top === at.top && left === at.left);
  for (let i = 0; i < 64 && isTaken(patch); i += 1) {
    const [top, left] = [patch.top + step, patch.left + step];
    const inside = top + fresh.height <= size[0] && left + fresh.width <= size[1];
    patch = within({ ...patch, top: inside ? top : (i * 7) % size[0], left: inside ? left : (i * 13) % size[1] }, size);
  }
  return patch;
}

/** Where the patches of a sweep begin along one side: every `stride`, and a last one flush with the edge. */
export function starts(side: number, patch: number, stride: number): number[] {
  const places: number[] = [];
  for (let at = 0; at + patch <= side; at += stride) places.push(at);
  if (places.length > 0 && places.at(-1) !== side - patch) places.push(side - patch);
  return places;
}

/** For each pixel along one side, the place whose patch has its middle nearest. */
export function nearestPlace(begins: ArrayLike<number>, patch: number, side: number): Int32Array {
  const places = new Int32Array(side);
  let nearest = 0;
  for (let pixel = 0; pixel < side; pixel += 1) {
    const apart = (index: number) => Math.abs(begins[index]! + patch / 2 - (pixel + 0.5));
    while (nearest + 1 < begins.length && apart(nearest + 1) <= apart(nearest)) nearest += 1;
    places[pixel] = nearest;
  }
  return places;
}

/** Light on dark, to be seen on any picture. */
const STROKES = {
  "is-selected": [
    { stroke: "#000", "stroke-width": 4 },
    { stroke: "#fff", "stroke-width": 2 },
  ],
  "is-other": [
    { stroke: "#000", "stroke-width": 2 },
    { stroke: "#fff", "stroke-width": 1, "stroke-dasharray": "3 3" },
  ],
  "is-ghost": [
    { stroke: "#000", "stroke-width": 3, opacity: 0.55 },
    { stroke: "#fff", "stroke-width": 1.5, "stroke-dasharray": "5 4" },
  ],
};

export function patchOutline({ left, top, width, height }: Patch, kind: keyof typeof STROKES): SVGRectElement[] {
  const box = { x: left, y: top, width, height, class: `oc-line ${kind}` };
  return STROKES[kind].map((stroke) => s("rect", { ...box, ...stroke }));
}
