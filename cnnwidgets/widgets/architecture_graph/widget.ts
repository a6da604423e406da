/** "Architecture": the drawing of the network, with its search, its legend and a card for each layer. */
import { button, claim, h, setText } from "../_shared/dom";
import { entry, type Link, RootView } from "../_shared/view";
import { Canvas } from "./canvas";
import { Finder } from "./finder";
import { type Drawing, type GraphState, holder, type Item, readingOrder } from "./geometry";
import { LayerSwitch } from "./layer_switch";
import { drawLegend, HoverCard } from "./nodes";
import "./widget.css";

export interface Action {
  do: "focus" | "select" | "expand" | "collapse" | "select-expand";
  item: Item;
}

/** `items` in reading order, joins left out. */
export function action(key: string, items: readonly Item[], at: Item): Action | undefined {
  const index = items.indexOf(at);
  const above = items.slice(0, Math.max(index, 0)).reverse();
  const focus = (item: Item | undefined): Action | undefined => item && { do: "focus", item };
  const folded = at.group !== undefined && !at.open;
  switch (key) {
    case "ArrowDown":
      return focus(items[index + 1]);
    case "ArrowUp":
      return focus(items[index - 1]);
    case "Home":
      return focus(items[0]);
    case "End":
      return focus(items.at(-1));
    case "ArrowRight":
      if (folded) return { do: "expand", item: at };
      return at.open ? focus(items[index + 1]) : undefined;
    case "ArrowLeft":
      if (at.open) return { do: "collapse", item: at };
      return focus(above.find((item) => item.level < at.level && item.open));
    case "Enter":
      return { do: folded ? "select-expand" : "select", item: at };
    case " ":
      return { do: "select", item: at };
    default:
      return undefined;
  }
}

class GraphView extends RootView<GraphState> {
  readonly #canvas = new Canvas();
  readonly #card = new HoverCard();
  readonly #finder = new Finder(
    () => this.#mark(),
    (name) => this.#pick(name),
  );
  readonly #legend = h("ul", { class: "cnnw-ag-legend cnnw-row cnnw-small cnnw-soft", "aria-label": "Colours" });
  readonly #empty = h("p", { class: "cnnw-empty" }, "Waiting for the network …");
  readonly #view = h("div", { class: "cnnw-ag-view cnnw-around" }, this.#empty, this.#canvas.element);
  readonly #switch = new LayerSwitch(this.link);
  #ordered: Item[] = [];
  #focused = "";
  #mustReveal = true;
  #choosing = false;
  #tallest = 0;

  constructor(link: Link<GraphState>, el: HTMLElement) {
    super(link, el);
    const [canvas, card] = [this.#canvas, this.#card];
    const foot = h("div", { class: "cnnw-ag-foot cnnw-line" }, this.#legend, this.#zoomButtons());
    el.append(this.#heading(), this.#finder.element, this.#view, this.#switch.element, foot, card.element);
    canvas.onDrawn = () => this.#mark();
    canvas.onAppear = () => {
      this.#mustReveal = true;
      this.#reveal();
    };
    this.#listenToPointer();
    this.#listenToKeys();
    link.receive("layout", (data) => this.#show(data.content as unknown as Drawing));
    link.receive("names", (data) => {
      this.#finder.names = data.content["names"] as string[];
      this.#finder.facts = data.content["facts"] as string[];
    });
    link.listen("change:touched", () => this.#mark());
    link.listen("change:selected", () => {
      // what was clicked here is in sight already
      this.#mustReveal = !this.#choosing;
      this.#mark();
      this.#reveal();
    });
    link.onClose(() => {
      card.hide();
      canvas.destroy();
    });
  }

  #heading(): HTMLElement {
    const expand = button("Expand all", () => this.link.command("expand_all"), { title: "Open every block" });
    const collapse = button("Collapse all", () => this.link.command("collapse_all"), { title: "Close every block" });
    const aside = h("span", { class: "cnnw-aside" }, expand, collapse);
    const name = h("span", { class: "cnnw-ag-network cnnw-cut", dir: "auto" });
    this.link.watch(["network"], () => {
      setText(name, this.link.get("network"));
      name.hidden = this.link.get("network") === "";
    });
    return h("div", { class: "cnnw-heading cnnw-ag-heading" }, h("span", {}, "Architecture"), name, aside);
  }

  #zoomButtons(): HTMLElement {
    return h(
      "div",
      { class: "cnnw-ag-zoom cnnw-end" },
      button("Zoom out", () => this.#canvas.zoomBy(1 / 1.25), { label: "−", title: "Draw the graph smaller" }),
      button("Zoom in", () => this.#canvas.zoomBy(1.25), { label: "+", title: "Draw the graph larger" }),
      button("Fit", () => this.#canvas.fit(), { title: "Bring all of the graph in sight" }),
    );
  }

  #show(drawing: Drawing): void {
    const canvas = this.#canvas;
    const hadFocus = canvas.svg.contains(document.activeElement);
    this.#empty.hidden = true;
    this.#card.hide();
    this.#ordered = readingOrder(drawing.nodes).filter((item) => item.kind !== "join");
    canvas.show(drawing, drawing.anchor || canvas.topmost());
    // the widget may grow with its drawing but never shrinks under the pointer
    this.#tallest = Math.max(this.#tallest, canvas.naturalHeight());
    this.#view.style.setProperty("--cnnw-ag-natural", `${this.#tallest}px`);
    if (canvas.items.get(this.#focused) === undefined) {
      this.#focused = holder(drawing.nodes, this.link.get("selected"))?.id ?? this.#ordered[0]?.id ?? "";
    }
    canvas.hold(this.#focused);
    drawLegend(this.#legend, drawing.nodes);
    this.#mark();
    this.#reveal();
    if (hadFocus) canvas.elements.get(this.#focused)?.focus({ preventScroll: true });
  }

  #reveal(): void {
    const name = this.link.get("selected");
    const item = holder(this.#canvas.drawing?.nodes ?? [], name);
    if (!this.#mustReveal || !item) return;
    this.#canvas.reveal(item);
    const exact = item.group === name || item.layer === name || item.members?.includes(name);
    if (exact) this.#mustReveal = false;
  }

  /** Classes and aria of what is drawn, from the selection, the search and the focus. */
  #mark(): void {
    const selected = holder(this.#canvas.drawing?.nodes ?? [], this.link.get("selected"));
    const matches = new Set(this.#finder.matches);
    const nodes = this.#canvas.drawing?.nodes ?? [];
    const touched = new Set(this.link.get("touched").map((name) => holder(nodes, name)));
    for (const [id, element] of this.#canvas.elements) {
      const item = this.#canvas.items.get(id);
      if (!item || item.kind === "join") continue;
      element.classList.toggle("cnnw-ag-selected", item === selected);
      element.classList.toggle("cnnw-ag-touched", touched.has(item));
      element.classList.toggle("cnnw-ag-found", matches.size > 0 && this.#holdsMatch(item, matches));
      element.setAttribute("aria-selected", String(item === selected));
      element.setAttribute("tabindex", id === this.#focused ? "0" : "-1");
    }
  }

  #holdsMatch({ members = [], group, open }: Item, matches: ReadonlySet<string>): boolean {
    if (members.some((name) => matches.has(name))) return true;
    return group !== undefined && !open && this.#finder.matches.some((name) => name.startsWith(`${group}.`));
  }

  #pick(name: string): void {
    this.#mustReveal = true;
    if (this.link.get("selected") === name) this.#reveal();
    this.link.set("selected", name);
  }

  #select(item: Item): void {
    this.#choosing = true;
    if (item.layer) this.link.set("selected", item.layer);
    this.#choosing = false;
    if (!item.layer && item.group !== undefined) this.#toggle(item);
  }

  #toggle(item: Item): void {
    this.link.command(item.open ? "collapse" : "expand", { name: item.group });
  }

  #focus(item: Item): void {
    this.#focused = item.id;
    this.#canvas.hold(item.id);
    this.#canvas.reveal(item);
    this.#mark();
    this.#canvas.elements.get(item.id)?.focus({ preventScroll: true });
  }

  #itemAt(event: Event): Item | undefined {
    const target = event.target as Element;
    const id = target.closest("[data-id]")?.getAttribute("data-id");
    const item = this.#canvas.items.get(id ?? "");
    // the inside of an open group is background
    return item?.open && target.classList.contains("cnnw-ag-box") ? undefined : item;
  }

  #showCard(item: Item): void {
    const box = () => {
      const bounds = this.#canvas.elements.get(item.id)?.querySelector(".cnnw-ag-header, .cnnw-ag-box");
      return bounds?.getBoundingClientRect() ?? new DOMRect();
    };
    if (item.kind !== "join") this.#card.showSoon(item, box);
  }

  #listenToPointer(): void {
    const { svg, element } = this.#canvas;
    svg.addEventListener("click", (event) => {
      const item = this.#itemAt(event);
      if (!item || item.kind === "join") return;
      this.#focused = item.id;
      this.#mark();
      this.#canvas.elements.get(item.id)?.focus({ preventScroll: true });
      this.#card.hide();
      if ((event.target as Element).closest(".cnnw-ag-toggle")) this.#toggle(item);
      else this.#select(item);
    });
    svg.addEventListener("dblclick", (event) => {
      const item = this.#itemAt(event);
      if (item?.group !== undefined && !(event.target as Element).closest(".cnnw-ag-toggle")) this.#toggle(item);
    });
    svg.addEventListener("pointerover", (event) => {
      const item = this.#itemAt(event);
      if (item) this.#showCard(item);
      else this.#card.hide();
    });
    svg.addEventListener("pointerleave", () => this.#card.hide());
    element.addEventListener("scroll", () => this.#card.hide(), { passive: true });
  }

  #listenToKeys(): void {
    const { svg } = this.#canvas;
    svg.addEventListener("focusin", (event) => {
      const item = this.#itemAt(event);
      if (item && (event.target as Element).matches(":focus-visible")) this.#showCard(item);
    });
    svg.addEventListener("focusout", () => this.#card.hide());
    svg.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#card.hide();
      const item = this.#canvas.items.get(this.#focused);
      if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
      const next = action(event.key, this.#ordered, item);
      if (!next) return;
      claim(event);
      this.#act(next);
    });
  }

  #act({ do: verb, item }: Action): void {
    if (verb === "focus") this.#focus(item);
    else if (verb === "select") this.#select(item);
    else {
      if (verb === "select-expand" && item.layer) this.#select(item);
      this.#toggle(item);
    }
  }
}

export default entry<GraphState>("architecture-graph", GraphView);
