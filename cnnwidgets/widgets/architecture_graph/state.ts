/** What Python sends: small state in traits, the drawing as one message. */
import type { BaseState } from "../_shared/view";

export interface GraphState extends BaseState {
  selected: string;
  expanded: string[];
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
export interface Item {
  id: string;
  x: number;
  y: number;
  w: number;
  h: number;
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
