/** What Python sends of the drawing, what of it is in sight, how far to zoom, and how a line turns its corners. */
import type { BaseState } from "../_shared/view";

export interface Rect {
  x: number;
  y: number;
  w: number;
  h: number;
}

export const LEAST_ZOOM = 0.01;
export const MOST_ZOOM = 3;
/** Below this, text that is 11 px at zoom 1 could no longer be made up for by a larger font in the same box. */
export const READABLE = 0.85;

export function overlaps(a: Rect, b: Rect): boolean {
  return a.x <= b.x + b.w && b.x <= a.x + a.w && a.y <= b.y + b.h && b.y <= a.y + a.h;
}

export function contains(outer: Rect, inner: Rect): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.w <= outer.x + outer.w &&
    inner.y + inner.h <= outer.y + outer.h
  );
}

export function boundsOf(line: readonly number[]): Rect {
  let [x = 0, y = 0] = line;
  let right = x;
  let bottom = y;
  for (let i = 0; i < line.length; i += 2) {
    x = Math.min(x, line[i]!);
    right = Math.max(right, line[i]!);
    y = Math.min(y, line[i + 1]!);
    bottom = Math.max(bottom, line[i + 1]!);
  }
  return { x, y, w: right - x, h: bottom - y };
}

/** Fits the width, as far as text stays readable. */
export function startZoom(width: number, available: number): number {
  return width > 0 && available > 0 ? Math.min(1, Math.max(READABLE, available / width)) : 1;
}

/** Fits everything, as far as text stays readable; the rest is scrolled to. */
export function fitZoom(width: number, height: number, availableWidth: number, availableHeight: number): number {
  if (width <= 0 || height <= 0) return 1;
  return Math.max(READABLE, Math.min(1, availableWidth / width, availableHeight / height));
}

/** The least scroll that brings `start..start+size` into a view of `room` px that begins at `scroll`. */
export function scrollTo(scroll: number, room: number, start: number, size: number, spare = 16): number {
  if (start - spare < scroll || size + 2 * spare > room) return Math.max(0, start - spare);
  return start + size + spare > scroll + room ? start + size + spare - room : scroll;
}

/** An SVG path along `line` with corners of at most `radius`. */
export function rounded(line: readonly number[], radius = 5): string {
  const points: [number, number][] = [];
  for (let i = 0; i + 1 < line.length; i += 2) points.push([line[i]!, line[i + 1]!]);
  const [first] = points;
  if (!first) return "";
  let path = `M${first[0]} ${first[1]}`;
  for (let i = 1; i < points.length; i += 1) {
    const [x0, y0] = points[i - 1]!;
    const [x, y] = points[i]!;
    const next = points[i + 1];
    const before = Math.hypot(x - x0, y - y0);
    const after = next ? Math.hypot(next[0] - x, next[1] - y) : 0;
    const r = Math.min(radius, before / 2, after / 2);
    if (!next || r < 0.5) {
      path += `L${x} ${y}`;
      continue;
    }
    const a = [x - ((x - x0) / before) * r, y - ((y - y0) / before) * r];
    const b = [x + ((next[0] - x) / after) * r, y + ((next[1] - y) / after) * r];
    path += `L${a[0]} ${a[1]}Q${x} ${y} ${b[0]} ${b[1]}`;
  }
  return path;
}

export interface GraphState extends BaseState {
  selected: string;
  expanded: string[];
  switchable: string[];
  scales: Record<string, number>;
  touched: string[];
}

export interface Card {
  type: string;
  input: number[];
  params: number;
  macs: number | null;
  /** Height and width in input pixels; empty where there is none. */
  field: number[];
  calls: number;
  /** A torch call, not a module. */
  functional: boolean;
}

/** A node, a folded group, or the frame of an open group. */
export interface Item extends Rect {
  id: string;
  /** 1 for the outermost. */
  level: number;
  kind: string;
  title: string;
  detail: string;
  shape: number[];
  /** The layer whose output this is; missing for joins and the input, empty for a group that is never called. */
  layer?: string;
  members?: string[];
  group?: string;
  open?: boolean;
  card?: Card;
}

export interface Drawing {
  nodes: Item[];
  /** x1, y1, x2, y2, ... */
  lines: number[][];
  back: number[][];
  width: number;
  height: number;
  /** x of the trunk. */
  axis: number;
  /** The group whose opening or closing led to this drawing. */
  anchor: string;
}

/** The item that stands for `name`, or failing that the innermost folded group it is in. */
export function holder(items: readonly Item[], name: string): Item | undefined {
  if (!name) return undefined;
  let member: Item | undefined;
  let around: Item | undefined;
  for (const item of items) {
    if (item.layer === name || item.group === name) return item;
    if (item.members?.includes(name)) member = item;
    const folded = item.group !== undefined && !item.open && name.startsWith(`${item.group}.`);
    if (folded && item.level >= (around?.level ?? 0)) around = item;
  }
  return member ?? around;
}

/** Top to bottom, then left to right: a frame comes before what is in it. */
export function readingOrder(items: readonly Item[]): Item[] {
  return [...items].sort((a, b) => a.y - b.y || a.x - b.x || a.level - b.level);
}
