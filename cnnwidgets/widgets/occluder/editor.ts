/** The patches, what can be undone, and what the pointer and the keys do to them. No pixels in here. */
import type { Size } from "../_maps/resample";
import { centred, freePlace, hit, movedBy, nextSide, resized, within } from "./geometry";
import type { Fill, Patch } from "./state";

export interface History<T> {
  readonly past: readonly T[];
  readonly present: T;
  readonly future: readonly T[];
  /** What the newest change belongs to; a further one of the same gesture replaces it. */
  readonly gesture: string | null;
}

const MOST = 200;

export function begin<T>(present: T): History<T> {
  return { past: [], present, future: [], gesture: null };
}

export function change<T>(history: History<T>, next: T, gesture: string | null = null): History<T> {
  const goesOn = gesture !== null && gesture === history.gesture;
  const past = goesOn ? history.past : [...history.past, history.present].slice(-MOST);
  return { past, present: next, future: [], gesture };
}

export function undo<T>(history: History<T>): History<T> {
  if (history.past.length === 0) return history;
  const present = history.past.at(-1) as T;
  return { past: history.past.slice(0, -1), present, future: [history.present, ...history.future], gesture: null };
}

export function redo<T>(history: History<T>): History<T> {
  if (history.future.length === 0) return history;
  const [present, ...future] = history.future as [T, ...T[]];
  return { past: [...history.past, history.present], present, future, gesture: null };
}

export interface Pattern {
  side: number;
  fill: Fill;
  color: string;
}

const PAUSE = 800;

export class Editor {
  history: History<readonly Patch[]>;
  selected: number | null;
  /** The next click says which place is copied. */
  picking = false;
  #grip: { row: number; column: number; gesture: string } | null = null;
  #source: [number, number] | null = null;
  #gestures = 0;
  #last = { kind: "", time: Number.NEGATIVE_INFINITY };

  /** `changed` is called after each change, `pattern` asked for new patches. */
  constructor(
    patches: readonly Patch[],
    selected: number | null,
    private readonly size: () => Size,
    private readonly pattern: () => Pattern,
    private readonly changed: () => void,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.history = begin(patches);
    this.selected = this.#existing(selected);
  }

  get patches(): readonly Patch[] {
    return this.history.present;
  }

  get current(): Patch | null {
    return this.selected === null ? null : (this.patches[this.selected] ?? null);
  }

  get dragging(): boolean {
    return this.#grip !== null;
  }

  reset(patches: readonly Patch[], selected: number | null): void {
    this.history = begin(patches);
    this.selected = this.#existing(selected);
    this.#grip = null;
    this.picking = false;
  }

  adopt(patches: readonly Patch[]): void {
    this.history = change(this.history, patches);
    this.selected = this.#existing(this.selected);
  }

  fresh(row: number, column: number): Patch {
    const { side, fill, color } = this.pattern();
    const patch = this.#filled({ top: 0, left: 0, height: side, width: side, fill: "grey" }, fill, color);
    return centred(patch, row, column, this.size());
  }

  press(row: number, column: number): void {
    if (this.picking) {
      this.#copyFrom(row, column);
      return;
    }
    const under = hit(this.patches, row, column);
    this.#gestures += 1;
    const gesture = `drag ${this.#gestures}`;
    if (under !== null) this.selected = under;
    const patch = this.current;
    if (!patch) {
      this.#apply([...this.patches, this.fresh(row, column)], this.patches.length, gesture);
    } else if (under === null) {
      this.#put(centred(patch, row, column, this.size()), gesture);
    } else this.changed();
    const patchUnder = this.current!;
    this.#grip = { row: row - patchUnder.top, column: column - patchUnder.left, gesture };
  }

  drag(row: number, column: number): void {
    const patch = this.current;
    if (!this.#grip || !patch) return;
    const moved = within({ ...patch, top: row - this.#grip.row, left: column - this.#grip.column }, this.size());
    if (moved.top !== patch.top || moved.left !== patch.left) this.#put(moved, this.#grip.gesture);
  }

  release(): void {
    this.#grip = null;
    this.changed();
  }

  key(key: string, { shift = false, control = false } = {}): boolean {
    if (control) {
      if (key.toLowerCase() === "z") return shift ? this.redo() : this.undo();
      return key.toLowerCase() === "y" ? this.redo() : false;
    }
    if (key === "Escape" && this.picking) {
      this.picking = false;
      this.changed();
      return true;
    }
    const patch = this.current;
    if (!patch) {
      if (!["Enter", " ", "+", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"].includes(key)) return false;
      this.add();
      return true;
    }
    const moved = movedBy(key, patch, shift, this.size());
    if (moved) this.#put(moved, this.#oneGesture("move"));
    else if (key === "+" || key === "=") this.grow(1);
    else if (key === "-" || key === "_") this.grow(-1);
    else if (key === "Delete" || key === "Backspace") this.remove();
    else if (key === "n" || key === "N") this.select((this.selected! + 1) % this.patches.length);
    else return false;
    return true;
  }

  grow(steps: number): void {
    const patch = this.current;
    if (!patch || steps === 0) return;
    const side = nextSide(Math.max(patch.height, patch.width), steps, Math.min(...this.size()));
    this.#put(resized(patch, side, this.size()), this.#oneGesture("size"));
  }

  resize(side: number): void {
    const size = this.size();
    if (this.current) this.#put(resized(this.current, Math.min(side, ...size), size), this.#oneGesture("size"));
  }

  fill(fill: Fill, color: string): void {
    if (fill === "copy" && !this.#source) {
      this.picking = true;
      this.changed();
      return;
    }
    this.picking = false;
    if (this.current) this.#put(this.#filled(this.current, fill, color), this.#oneGesture(`fill ${fill}`));
    else this.changed();
  }

  pick(): void {
    this.picking = !this.picking;
    this.changed();
  }

  /** No place is copied after all. */
  stopPicking(): void {
    if (!this.picking) return;
    this.picking = false;
    this.changed();
  }

  add(): void {
    const [height, width] = this.size();
    const patch = freePlace(this.patches, this.fresh(height / 2, width / 2), this.size());
    this.#apply([...this.patches, patch], this.patches.length);
  }

  remove(): void {
    if (this.selected === null) return;
    this.picking = false;
    const rest = this.patches.filter((_, i) => i !== this.selected);
    this.#apply(rest, rest.length > 0 ? Math.min(this.selected, rest.length - 1) : null);
  }

  clear(): void {
    this.picking = false;
    if (this.patches.length > 0) this.#apply([], null);
  }

  select(index: number): void {
    this.selected = index;
    this.changed();
  }

  undo(): boolean {
    return this.#travel(undo(this.history));
  }

  redo(): boolean {
    return this.#travel(redo(this.history));
  }

  /** `index` where there is such a patch, else the last one's. */
  #existing(index: number | null): number | null {
    const count = this.patches.length;
    if (index !== null && index < count) return index;
    return count > 0 ? count - 1 : null;
  }

  #travel(to: History<readonly Patch[]>): boolean {
    const wasPicking = this.picking;
    this.stopPicking();
    if (to === this.history) return wasPicking;
    this.history = to;
    this.#last.time = Number.NEGATIVE_INFINITY;
    this.selected = this.#existing(this.selected);
    this.changed();
    return true;
  }

  #copyFrom(row: number, column: number): void {
    const size = this.size();
    const patch = this.current ?? this.fresh(row, column);
    const [height, width] = [Math.min(patch.height, size[0]), Math.min(patch.width, size[1])];
    const inside = (middle: number, side: number, most: number) =>
      Math.min(Math.max(Math.round(middle - side / 2), 0), most - side);
    this.#source = [inside(row, height, size[0]), inside(column, width, size[1])];
    this.picking = false;
    if (this.current) this.#put(this.#filled(this.current, "copy", ""), null);
    else this.changed();
  }

  #filled(patch: Patch, fill: Fill, color: string): Patch {
    const { top, left, height, width } = patch;
    const box = { top, left, height, width };
    if (fill === "color") return { ...box, fill, color };
    if (fill === "copy") return this.#source ? { ...box, fill, source: [...this.#source] } : { ...box, fill: "grey" };
    return { ...box, fill };
  }

  #put(patch: Patch, gesture: string | null): void {
    const patches = this.patches.map((other, i) => (i === this.selected ? patch : other));
    this.#apply(patches, this.selected, gesture);
  }

  #apply(patches: readonly Patch[], selected: number | null, gesture: string | null = null): void {
    this.history = change(this.history, patches, gesture);
    this.selected = selected;
    this.changed();
  }

  /** Steps of one kind that follow each other quickly are undone together. */
  #oneGesture(kind: string): string {
    const time = this.now();
    if (kind !== this.#last.kind || time - this.#last.time > PAUSE) this.#gestures += 1;
    this.#last = { kind, time };
    return `${kind} ${this.#gestures}`;
  }
}
