/** One item of the drawing as SVG, with texts that fit its box; what its colour stands for; and its card. */
import { h, s } from "../_shared/dom";
import { count, shape } from "../_shared/format";
import type { Item } from "./geometry";
import "../_shared/popup.css";

export interface Fonts {
  title: Measure;
  small: Measure;
  /** How much larger than at zoom 1 text is set, to stay readable at the zoom of the start. */
  scale: number;
}

const TITLE_Y = 15;
const DETAIL_Y = 29;
const SIZE_Y = 43;
const HEADER = 26;
const NARROW = 160;
/** How far from its left edge a group's marker takes clicks. */
const MARKER = 27;

/** The style that gives an item the colour of its kind. */
export function colourStyle(kind: string): string {
  return `--cnnw-ag-colour: var(--cnnw-${NAMES.some(([own]) => own === kind) ? kind : "other"})`;
}

export function itemLabel(item: Item): string {
  if (item.kind === "join") return `${item.title} ${item.detail}`;
  const size = item.shape.length > 0 ? `, output ${item.shape.join(" × ")}` : "";
  const whole = item.layer || item.group;
  return [item.title, item.detail + size, whole !== item.title && whole].filter(Boolean).join(", ");
}

export function drawItem(item: Item, fonts: Fonts, far: boolean): SVGGElement {
  if (item.kind === "join") return drawJoin(item, fonts, far);
  const root = s("g", {
    class: `cnnw-ag-item ${item.open ? "cnnw-ag-frame" : "cnnw-ag-node"}`,
    style: colourStyle(item.kind),
    transform: `translate(${item.x} ${item.y})`,
    role: "treeitem",
    tabindex: -1,
    "data-id": item.id,
    "aria-level": item.level,
    "aria-label": itemLabel(item),
    "aria-selected": "false",
    "data-layer": item.layer || undefined,
    "data-group": item.group,
    "aria-expanded": item.group === undefined ? undefined : String(item.open ?? false),
  });
  root.append(s("rect", { class: "cnnw-ag-box", width: item.w, height: item.h, rx: item.open ? 7 : 5 }));
  if (item.open) root.append(s("rect", { class: "cnnw-ag-header", width: item.w, height: HEADER, rx: 7 }));
  else root.append(s("rect", { class: "cnnw-ag-bar", width: 4, height: item.h, rx: 2 }));
  if (far) return root;
  const left = s("g", { class: "cnnw-ag-left", role: "presentation" });
  const right = s("g", { class: "cnnw-ag-right", role: "presentation" });
  root.dataset["least"] = String(words(item, fonts, left, right));
  root.append(left, right);
  // or else texts are one word to whoever joins them, as axe-core does
  for (const text of root.querySelectorAll("text")) text.before(" ");
  root.setAttribute("aria-label", label(root, item));
  return root;
}

/** Begins with what is to be seen, for those who speak it to a computer; then what was cut or left out. */
function label(root: SVGGElement, item: Item): string {
  const visible = [...root.querySelectorAll("text")].map((text) => text.textContent).join(" ");
  const rest = [item.title, item.detail, item.layer || item.group || ""].filter((text) => !visible.includes(text));
  return [visible, ...rest].join(", ");
}

/** Fills the two groups; returns the width that their texts need beside each other. */
function words(item: Item, { title, small, scale }: Fonts, left: SVGGElement, right: SVGGElement): number {
  const wide = item.w >= NARROW || item.open;
  const size = shape(item.shape);
  const sizeRoom = size && wide ? small(size) * scale + 8 : 0;
  const marker = item.group === undefined ? 0 : 13;
  const y = item.open ? 17 : TITLE_Y;
  const triangle = item.open ? "M11 10.5h8l-4 5.5z" : "M12 7v8l5.5-4z";
  if (marker) left.append(s("path", { class: "cnnw-ag-marker", d: triangle }));
  const name = cut(item.title, (item.w - 20 - marker - sizeRoom) / scale, title);
  // no line runs through a text: it passes behind
  const behind = { class: "cnnw-ag-behind", y: 2, height: HEADER - 4 };
  if (item.open) left.append(s("rect", { ...behind, x: 8 + marker, width: title(name) * scale + 8 }));
  if (item.open && size) right.append(s("rect", { ...behind, x: item.w - sizeRoom - 4, width: sizeRoom }));
  left.append(s("text", { class: "cnnw-ag-title", x: 12 + marker, y }, name));
  if (!item.open) {
    const detail = cut(item.detail, (item.w - 20) / scale, small);
    left.append(s("text", { class: "cnnw-ag-small", x: 12, y: DETAIL_Y }, detail));
  }
  if (size && wide) right.append(s("text", { class: "cnnw-ag-small cnnw-ag-size", x: item.w - 8, y }, size));
  else if (size) left.append(s("text", { class: "cnnw-ag-small", x: 12, y: SIZE_Y }, size));
  const widthOfTexts = 36 + title(name) * scale + sizeRoom;
  if (!marker) return widthOfTexts;
  const hit = s("rect", { class: "cnnw-ag-toggle", width: MARKER, height: item.open ? HEADER : item.h });
  hit.append(s("title", {}, item.open ? "Collapse" : "Expand"));
  left.append(hit);
  return widthOfTexts;
}

/** The header of a frame that is wider than the view stays in it, between `from` and `to`. */
export function stick(item: Item, element: SVGGElement, from: number, to: number): void {
  const least = Math.min(item.w, Number(element.dataset["least"] ?? 0));
  const left = Math.max(0, Math.min(from - item.x, item.w - least));
  const right = Math.max(0, Math.min(item.x + item.w - to, item.w - left - least));
  element.querySelector(".cnnw-ag-left")?.setAttribute("transform", `translate(${left} 0)`);
  element.querySelector(".cnnw-ag-right")?.setAttribute("transform", `translate(${-right} 0)`);
}

function drawJoin(item: Item, { small, scale }: Fonts, far: boolean): SVGGElement {
  const root = s("g", {
    class: "cnnw-ag-join",
    transform: `translate(${item.x} ${item.y})`,
    "data-id": item.id,
    "aria-hidden": "true",
  });
  const names: Record<string, string> = { "+": "add", "×": "multiply", cat: "concatenate" };
  root.append(s("rect", { class: "cnnw-ag-box", width: item.w, height: item.h, rx: item.h / 2 }));
  root.append(s("title", {}, [names[item.title] ?? item.title, item.detail].filter(Boolean).join(" · ")));
  if (far) return root;
  const x = item.w / 2;
  const y = item.h / 2;
  // drawn, since fonts set the signs off centre
  const signs: Record<string, string> = {
    "+": `M${x - 4.5} ${y}h9M${x} ${y - 4.5}v9`,
    "×": `M${x - 3.5} ${y - 3.5}l7 7M${x + 3.5} ${y - 3.5}l-7 7`,
  };
  const path = signs[item.title];
  root.append(path ? s("path", { d: path }) : s("text", { x, y: y + 4 }, item.title));
  if (!item.detail) return root;
  const room = { x: item.w + 2, y: y - 7, width: small(item.detail) * scale + 6, height: 15 };
  root.append(s("rect", { class: "cnnw-ag-behind", ...room }));
  root.append(s("text", { class: "cnnw-ag-after", x: item.w + 5, y: y + 4 }, item.detail));
  return root;
}

export type Measure = (text: string) => number;

/** `text` without its end. */
export function cut(text: string, room: number, measure: Measure): string {
  if (measure(text) <= room) return text;
  const letters = [...text];
  const shortened = (length: number) => `${letters.slice(0, length).join("").trimEnd()}…`;
  let low = 0;
  let high = Math.min(letters.length, 200);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (measure(shortened(middle)) <= room) low = middle;
    else high = middle - 1;
  }
  return low > 0 || measure("…") <= room ? shortened(low) : "";
}

/** Widths as the browser draws them, each asked for once. */
export function measurer(font: string): Measure {
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return (text) => text.length * 7;
  context.font = font;
  const widths = new Map<string, number>();
  return (text) => {
    let width = widths.get(text);
    if (width === undefined) {
      // 500 letters never fit: no need to know by how much
      width = text.length > 400 ? Number.POSITIVE_INFINITY : context.measureText(text).width;
      if (widths.size > 20_000) widths.clear();
      widths.set(text, width);
    }
    return width;
  };
}

/** The kinds of layers: name, and what they do. */
const NAMES = [
  ["conv", "convolution", "Small filters slide over the image; 3×3 is their size, /2 the step (stride) they move by"],
  ["norm", "norm", "Brings numbers to a common scale, as batch norm (BN) does"],
  ["activation", "activation", "Lets large numbers pass and holds small ones back, as ReLU does"],
  ["pool", "pooling", "One number for neighbouring places, their largest or their mean: the maps become smaller"],
  ["linear", "linear", "Each output is a weighted sum of all inputs"],
  ["attention", "attention", "Each place takes up what fits it from all others"],
  ["other", "other", "Some other operation"],
] as const;

/** The kinds among `items`, in a fixed order. */
export function kindsOf(items: readonly Item[]): (typeof NAMES)[number][] {
  const present = new Set(
    items.filter((item) => !item.open && item.kind !== "join").map((item) => colourStyle(item.kind)),
  );
  return NAMES.filter(([kind]) => present.has(colourStyle(kind)));
}

export function drawLegend(legend: HTMLElement, items: readonly Item[]): void {
  legend.replaceChildren(
    ...kindsOf(items).map(([kind, name, title]) =>
      h("li", { class: "cnnw-line", title }, h("i", { style: colourStyle(kind), "aria-hidden": "true" }), name),
    ),
  );
}

export function factsOf(item: Item): [string, string][] {
  const { card } = item;
  const rows: [string, string][] = [];
  const add = (name: string, value: string) => value && rows.push([name, value]);
  add("Type", card?.functional ? `${card.type} (a torch call, no module)` : (card?.type ?? ""));
  if (card) add("Input", shape(card.input));
  add("Output", shape(item.shape));
  if (!card) return rows;
  add("Parameters", card.params ? count(card.params) : "none");
  if (card.macs) add("Multiply-adds", count(card.macs));
  if (card.field.length > 0) add("Receptive field", `${card.field.join(" × ")} px of the image go into one number`);
  if (card.calls > 1) add("Called", `${card.calls} times; the last one is shown`);
  const others = (item.members ?? []).filter((name) => name !== item.layer);
  if (others.length > 0 && item.group === undefined) add("Holds", [...others, item.layer].join(", "));
  return rows;
}

export class HoverCard {
  readonly element = h("div", { class: "cnnw-ag-card cnnw-popup", role: "tooltip", popover: "manual" });
  #timer = 0;

  /** Beside `box`, a rectangle in the window. */
  show(item: Item, box: DOMRect): void {
    const { element } = this;
    clearTimeout(this.#timer);
    const list = h("dl", {});
    for (const [name, value] of factsOf(item))
      list.append(h("dt", { class: "cnnw-soft" }, name), h("dd", { class: "cnnw-figures cnnw-wrap" }, value));
    const meaning = NAMES.find(([kind]) => kind === item.kind && kind !== "other")?.[2];
    const sentence = meaning && h("p", { class: "cnnw-small cnnw-soft" }, `${meaning}.`);
    element.replaceChildren(h("b", {}, item.layer || item.title), list, sentence || "");
    if (element.isConnected && !element.matches(":popover-open")) element.showPopover();
    const { width, height } = element.getBoundingClientRect();
    const room = { w: document.documentElement.clientWidth, h: document.documentElement.clientHeight };
    const beside = box.right + 8 + width <= room.w ? box.right + 8 : box.left - 8 - width;
    const fits = beside >= 4;
    const left = fits ? beside : Math.max(4, Math.min(box.left, room.w - width - 4));
    const below = box.bottom + 6 + height <= room.h ? box.bottom + 6 : box.top - 6 - height;
    const top = fits ? Math.max(4, Math.min(box.top, room.h - height - 4)) : Math.max(4, below);
    element.style.left = `${left}px`;
    element.style.top = `${top}px`;
  }

  /** After a moment, so that a pointer which only passes shows nothing. */
  showSoon(item: Item, box: () => DOMRect): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.show(item, box()), 350);
  }

  hide(): void {
    clearTimeout(this.#timer);
    if (this.element.matches(":popover-open")) this.element.hidePopover();
  }
}
