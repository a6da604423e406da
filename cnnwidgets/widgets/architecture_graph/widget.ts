import "../_shared/base.css";
import "./widget.css";
import { command, openChannel, subscribe } from "../_shared/channel";
import { button, h } from "../_shared/dom";
import { assign, listen, type Model, type RenderContext } from "../_shared/model";
import { shell } from "../_shared/shell";
import { Canvas } from "./canvas";
import { HoverCard } from "./card";
import { Finder } from "./finder";
import { action, readingOrder } from "./keys";
import { drawLegend } from "./legend";
import { type Drawing, holder, type Item, type State } from "./state";

class View {
  private readonly canvas = new Canvas();
  private readonly card = new HoverCard();
  private readonly finder: Finder;
  private readonly legend = h("ul", { class: "cnnw-ag-legend", "aria-label": "Colours" });
  private readonly empty = h("p", { class: "cnnw-empty" }, "Waiting for the network …");
  private readonly place = h("div", { class: "cnnw-ag-view" });
  private readonly undo: (() => void)[] = [];
  private ordered: Item[] = [];
  private focused = "";
  private mustReveal = true;
  private choosing = false;
  private tallest = 0;

  constructor(
    private readonly model: Model<State>,
    el: HTMLElement,
  ) {
    this.undo.push(shell(el, model, "architecture-graph"));
    this.finder = new Finder(
      () => this.mark(),
      (name) => this.pick(name),
    );
    const { canvas } = this;
    this.place.append(this.empty, canvas.element);
    const zoom = h(
      "div",
      { class: "cnnw-ag-zoom" },
      button("Zoom out", () => canvas.zoomBy(1 / 1.25), { label: "−" }),
      button("Zoom in", () => canvas.zoomBy(1.25), { label: "+" }),
      button("Fit", () => canvas.fit()),
    );
    el.append(
      h(
        "div",
        { class: "cnnw-heading cnnw-ag-heading" },
        h("span", {}, "Architecture"),
        h(
          "span",
          { class: "cnnw-aside" },
          button("Expand all", () => command(model, "expand_all")),
          button("Collapse all", () => command(model, "collapse_all")),
        ),
      ),
      this.finder.element,
      this.place,
      h("div", { class: "cnnw-ag-foot" }, this.legend, zoom),
      this.card.element,
    );
    canvas.onDrawn = () => this.mark();
    canvas.onAppear = () => {
      this.mustReveal = true;
      this.reveal();
    };
    this.listenToPointer();
    this.listenToKeys();
    this.undo.push(
      subscribe(model, "layout", (data) => this.show(data.content as unknown as Drawing)),
      subscribe(model, "names", (data) => {
        this.finder.names = data.content["names"] as string[];
      }),
      listen(model, "change:selected", () => {
        // what was clicked here is in sight already
        this.mustReveal = !this.choosing;
        this.mark();
        this.reveal();
      }),
      () => canvas.destroy(),
      () => this.card.hide(),
    );
  }

  close(): void {
    for (const undo of this.undo.reverse()) undo();
  }

  private show(drawing: Drawing): void {
    const { canvas } = this;
    const hadFocus = canvas.svg.contains(document.activeElement);
    this.empty.hidden = true;
    this.card.hide();
    this.ordered = readingOrder(drawing.nodes.filter((item) => item.kind !== "join"));
    canvas.show(drawing, drawing.anchor || canvas.topmost());
    // the widget may grow with its drawing but never shrinks under the pointer
    this.tallest = Math.max(this.tallest, canvas.naturalHeight());
    this.place.style.setProperty("--cnnw-ag-natural", `${this.tallest}px`);
    if (!canvas.find(this.focused)) {
      this.focused = holder(drawing.nodes, this.model.get("selected"))?.id ?? this.ordered[0]?.id ?? "";
    }
    canvas.hold(this.focused);
    drawLegend(this.legend, drawing.nodes);
    this.mark();
    this.reveal();
    if (hadFocus) canvas.elementOf(this.focused)?.focus({ preventScroll: true });
  }

  private reveal(): void {
    const { canvas } = this;
    const name = this.model.get("selected");
    const item = holder(canvas.drawing?.nodes ?? [], name);
    if (!this.mustReveal || !item) return;
    canvas.reveal(item);
    const exact = item.group === name || item.layer === name || item.members?.includes(name);
    if (exact) this.mustReveal = false;
  }

  /** Classes and aria of what is drawn, from the selection, the search and the focus. */
  private mark(): void {
    const { canvas } = this;
    const selected = this.model.get("selected");
    const items = canvas.drawing?.nodes ?? [];
    const chosen = holder(items, selected);
    const found = new Set(this.finder.found);
    for (const [id, element] of canvas.all()) {
      const item = canvas.find(id);
      if (!item || item.kind === "join") continue;
      const isChosen = item === chosen;
      const isFound =
        found.size > 0 &&
        ((item.members?.some((name) => found.has(name)) ?? false) ||
          (item.group !== undefined &&
            !item.open &&
            this.finder.found.some((name) => name.startsWith(`${item.group}.`))));
      element.classList.toggle("cnnw-ag-selected", isChosen);
      element.classList.toggle("cnnw-ag-found", isFound);
      element.setAttribute("aria-selected", String(isChosen));
      element.setAttribute("tabindex", id === this.focused ? "0" : "-1");
    }
  }

  private pick(name: string): void {
    this.mustReveal = true;
    if (this.model.get("selected") === name) this.reveal();
    assign(this.model, "selected", name);
  }

  private select(item: Item): void {
    this.choosing = true;
    if (item.layer) assign(this.model, "selected", item.layer);
    this.choosing = false;
    if (item.layer) return;
    if (item.group !== undefined) this.toggle(item);
  }

  private toggle(item: Item): void {
    command(this.model, item.open ? "collapse" : "expand", { name: item.group });
  }

  private focus(item: Item): void {
    const { canvas } = this;
    this.focused = item.id;
    canvas.hold(item.id);
    canvas.reveal(item);
    this.mark();
    canvas.elementOf(item.id)?.focus({ preventScroll: true });
  }

  private itemAt(event: Event): Item | undefined {
    const target = event.target as Element;
    const id = target.closest("[data-id]")?.getAttribute("data-id");
    const item = id === null || id === undefined ? undefined : this.canvas.find(id);
    // the inside of an open group is background
    return item?.open && target.classList.contains("cnnw-ag-box") ? undefined : item;
  }

  private showCard(item: Item): void {
    const box = () => {
      const bounds = this.canvas.elementOf(item.id)?.querySelector(".cnnw-ag-header, .cnnw-ag-box");
      return bounds?.getBoundingClientRect() ?? new DOMRect();
    };
    if (item.kind !== "join") this.card.showSoon(item, box);
  }

  private listenToPointer(): void {
    const { svg, element } = this.canvas;
    svg.addEventListener("click", (event) => {
      const item = this.itemAt(event);
      if (!item || item.kind === "join") return;
      this.focused = item.id;
      this.mark();
      this.canvas.elementOf(item.id)?.focus({ preventScroll: true });
      this.card.hide();
      if ((event.target as Element).closest(".cnnw-ag-toggle")) this.toggle(item);
      else this.select(item);
    });
    svg.addEventListener("dblclick", (event) => {
      const item = this.itemAt(event);
      if (item?.group !== undefined && !(event.target as Element).closest(".cnnw-ag-toggle")) this.toggle(item);
    });
    svg.addEventListener("pointerover", (event) => {
      const item = this.itemAt(event);
      if (item) this.showCard(item);
      else this.card.hide();
    });
    svg.addEventListener("pointerleave", () => this.card.hide());
    element.addEventListener("scroll", () => this.card.hide(), { passive: true });
  }

  private listenToKeys(): void {
    const { svg } = this.canvas;
    svg.addEventListener("focusin", (event) => {
      const item = this.itemAt(event);
      if (item && (event.target as Element).matches(":focus-visible")) this.showCard(item);
    });
    svg.addEventListener("focusout", () => this.card.hide());
    svg.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.card.hide();
      const item = this.canvas.find(this.focused);
      if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
      const next = action(event.key, this.ordered, item);
      if (!next) return;
      event.preventDefault();
      event.stopPropagation();
      if (next.do === "focus") this.focus(next.item);
      else if (next.do === "select") this.select(next.item);
      else if (next.do === "select-expand") {
        if (next.item.layer) this.select(next.item);
        this.toggle(next.item);
      } else this.toggle(next.item);
    });
  }
}

export default {
  initialize({ model }: { model: Model<State> }): void {
    openChannel(model);
  },
  render({ model, el }: RenderContext<State>): () => void {
    const view = new View(model, el);
    return () => view.close();
  },
};
