/** What the image input shares with Python, and how a list of edits grows and shrinks. */
import type { BaseState } from "../_shared/view";

export type Edit =
  | { op: "crop"; box: [top: number, left: number, bottom: number, right: number] }
  | { op: "rotate"; degrees: number }
  | { op: "brightness"; amount: number }
  | { op: "noise"; amount: number; seed: number }
  | { op: "draw"; points: [down: number, across: number][]; width: number; color: string };

export interface ImageInputState extends BaseState {
  name: string;
  samples: string[];
  sample: string;
  edits: Edit[];
  sides: number[];
  notes: string[];
}

/** What an edit does, in a few words. */
export function editText(edit: Edit): string {
  if (edit.op === "crop") return "cropped";
  if (edit.op === "rotate") return `turned by ${edit.degrees}°`.replace("-", "−");
  if (edit.op === "draw") return `a line in ${edit.color}`;
  const share = `${Math.round(100 * edit.amount)} %`.replace("-", "−");
  return edit.op === "noise" ? `noise ${share} (seed ${edit.seed})` : `brightness ${share}`;
}

/** `edits` with `edit` behind; in place of the last where that is of the same kind, as while a slider is dragged. */
export function tuned(edits: readonly Edit[], edit: Edit): Edit[] {
  const before = edits.at(-1)?.op === edit.op ? edits.slice(0, -1) : [...edits];
  return isNothing(edit) ? before : [...before, edit];
}

function isNothing(edit: Edit): boolean {
  if (edit.op === "rotate") return edit.degrees === 0;
  return (edit.op === "brightness" || edit.op === "noise") && edit.amount === 0;
}

/** A quarter turn, added to the turn before where there is one. */
export function turnedOn(edits: readonly Edit[], degrees: number): Edit[] {
  const last = edits.at(-1);
  const before = last?.op === "rotate" ? last.degrees : 0;
  return tuned(edits, { op: "rotate", degrees: ((((before + degrees + 180) % 360) + 360) % 360) - 180 });
}

/** The value of a slider: that of the last edit, if it is of its kind. */
export function lastAmount(edits: readonly Edit[], op: "rotate" | "brightness" | "noise"): number {
  const last = edits.at(-1);
  if (last?.op !== op) return 0;
  return last.op === "rotate" ? last.degrees : last.amount;
}

export type CropBox = [top: number, left: number, bottom: number, right: number];

const LEAST = 0.02;

/** The box of two corners, within the image. */
export function boxOf(from: readonly [number, number], to: readonly [number, number]): CropBox {
  const within = (share: number) => Math.min(1, Math.max(0, share));
  return [
    within(Math.min(from[0], to[0])),
    within(Math.min(from[1], to[1])),
    within(Math.max(from[0], to[0])),
    within(Math.max(from[1], to[1])),
  ];
}

export function isLarge([top, left, bottom, right]: CropBox): boolean {
  return bottom - top >= LEAST && right - left >= LEAST;
}

const STEP = 0.02;

/** The box after an arrow key: moved, or with `resize` its bottom and right moved; null: no key of a box. */
export function nudged(box: CropBox, key: string, resize: boolean): CropBox | null {
  const step = { ArrowUp: [-STEP, 0], ArrowDown: [STEP, 0], ArrowLeft: [0, -STEP], ArrowRight: [0, STEP] }[key];
  if (!step) return null;
  const [top, left, bottom, right] = box;
  let [down, across] = step as [number, number];
  if (resize) {
    const next: CropBox = [top, left, Math.min(1, bottom + down), Math.min(1, right + across)];
    return isLarge(next) ? next : box;
  }
  down = Math.min(1 - bottom, Math.max(-top, down));
  across = Math.min(1 - right, Math.max(-left, across));
  return [top + down, left + across, bottom + down, right + across];
}
