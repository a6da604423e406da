/** The card that shows what is known of a node. */
import { h } from "../_shared/dom";
import { count, shape } from "../_shared/format";
import "../_shared/popup.css";
import type { Item } from "./state";

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
  if (card.field.length > 0) add("Receptive field", `${card.field.join(" × ")} px`);
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
    element.replaceChildren(h("b", {}, item.layer || item.title), list);
    if (!element.classList.contains("cnnw-ag-shown") && element.isConnected) element.showPopover?.();
    element.classList.add("cnnw-ag-shown");
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
    if (!this.element.classList.contains("cnnw-ag-shown")) return;
    this.element.classList.remove("cnnw-ag-shown");
    if (this.element.isConnected) this.element.hidePopover?.();
  }
}
