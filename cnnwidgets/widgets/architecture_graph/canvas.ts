/** The scrolling, zooming drawing. Only what is in sight, and a margin around it, has elements. */
import { everyFrame, h, s } from "../_shared/dom";
import { passWheelOn } from "../_shared/wheel";
import { scrollByDragging } from "./drag";
import {
  boundsOf,
  contains,
  type Drawing,
  fitZoom,
  type Item,
  LEAST_ZOOM,
  MOST_ZOOM,
  overlaps,
  READABLE,
  type Rect,
  readingOrder,
  rounded,
  scrollTo,
  startZoom,
} from "./geometry";
import { drawItem, type Fonts, measurer, stick } from "./nodes";

/** Under this zoom text is left out: it would be 5 px high. */
const FAR = 0.45;

interface Line {
  bounds: Rect;
  path: string;
}

export class Canvas {
  readonly element = h("div", { class: "cnnw-ag-scroll" });
  readonly svg = s("svg", { role: "tree", "aria-label": "Architecture" });
  /** Called after elements were made, with those that are new. */
  onDrawn: (() => void) | null = null;
  /** Called when a view that had no size gets one, as in a notebook tab that comes to the front. */
  onAppear: (() => void) | null = null;

  drawing: Drawing | undefined;
  zoom = 1;
  #mode: "start" | "fit" | "free" = "start";
  readonly #world = s("g", { role: "presentation" });
  readonly #lines = s("path", { class: "cnnw-ag-line", "aria-hidden": "true" });
  readonly #back = s("path", { class: "cnnw-ag-line cnnw-ag-back", "aria-hidden": "true" });
  readonly #nodes = s("g", { role: "presentation" });
  #routed: Line[] = [];
  #returning: Line[] = [];
  /** In reading order, which is the order of the elements too. */
  items = new Map<string, Item>();
  readonly elements = new Map<string, SVGGElement>();
  #covered: Rect | undefined;
  #far = false;
  #fonts: Fonts | undefined;
  #keep = "";
  #hidden = true;
  readonly #frame = everyFrame(() => this.#refresh());
  readonly #resized = new ResizeObserver(() => this.#onResize());

  constructor() {
    this.#world.append(this.#lines, this.#back, this.#nodes);
    this.svg.append(this.#world);
    this.element.append(this.svg);
    this.element.addEventListener("scroll", () => this.#frame.request(), { passive: true });
    this.element.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
    passWheelOn(this.element);
    scrollByDragging(this.element, ".cnnw-ag-node, .cnnw-ag-header, .cnnw-ag-toggle, .cnnw-ag-title");
    this.#resized.observe(this.element);
  }

  destroy(): void {
    this.#resized.disconnect();
    this.#frame.cancel();
  }

  /** Shows `drawing`; what has the id `anchor` stays where it is on the screen. */
  show(drawing: Drawing, anchor: string | undefined): void {
    const before = anchor === undefined ? undefined : this.items.get(anchor);
    const screenPoint = before && this.#onScreen(before);
    this.drawing = drawing;
    this.items = new Map(readingOrder(drawing.nodes).map((item) => [item.id, item]));
    const read = (line: number[]): Line => ({ bounds: boundsOf(line), path: rounded(line) });
    this.#routed = drawing.lines.map(read);
    this.#returning = drawing.back.map(read);
    const first = this.#fonts === undefined;
    this.#setZoom(this.#modeZoom(drawing));
    const after = anchor === undefined ? undefined : this.items.get(anchor);
    if (screenPoint && after) {
      const [x, y] = this.#onScreen(after);
      this.element.scrollLeft += x - screenPoint[0];
      this.element.scrollTop += y - screenPoint[1];
    } else if (first) this.#centre();
    this.#refresh();
  }

  /** How high the drawing is at the zoom of the start. */
  naturalHeight(): number {
    const { drawing, element } = this;
    return drawing ? Math.ceil(drawing.height * startZoom(drawing.width, element.clientWidth)) : 0;
  }

  #modeZoom(drawing: Drawing): number {
    const { clientWidth, clientHeight } = this.element;
    if (this.#mode === "free") return this.zoom;
    if (this.#mode === "fit") return fitZoom(drawing.width, drawing.height, clientWidth, clientHeight);
    return startZoom(drawing.width, clientWidth);
  }

  #centre(): void {
    const { drawing, element, zoom } = this;
    if (drawing) element.scrollLeft = Math.max(0, drawing.axis * zoom - element.clientWidth / 2);
  }

  /** The item nearest to the top of what is in sight, to hold on to when the drawing changes. */
  topmost(): string | undefined {
    const sight = this.#inSight();
    return this.drawing?.nodes.filter((item) => !item.open && item.y >= sight.y).sort((a, b) => a.y - b.y)[0]?.id;
  }

  /** Its element exists, in sight or not, until another one is kept. */
  hold(id: string): void {
    this.#keep = id;
    this.#covered = undefined;
    this.#refresh();
  }

  reveal(item: Item): void {
    const { element } = this;
    if (this.#far && this.drawing) {
      this.#mode = "start";
      this.zoom = startZoom(this.drawing.width, element.clientWidth);
      this.#resize();
    }
    const { zoom } = this;
    const tall = item.open ? Math.min(item.h, 60) : item.h;
    element.scrollTop = scrollTo(element.scrollTop, element.clientHeight, item.y * zoom, tall * zoom);
    element.scrollLeft = scrollTo(
      element.scrollLeft,
      element.clientWidth,
      item.x * zoom + this.#margin(),
      item.w * zoom,
      4,
    );
    this.#refresh();
  }

  fit(): void {
    this.#mode = "fit";
    if (this.drawing) this.#setZoom(this.#modeZoom(this.drawing));
    this.#centre();
    this.element.scrollTop = 0;
    this.#refresh();
  }

  zoomBy(factor: number): void {
    const { clientWidth, clientHeight } = this.element;
    this.#zoomTo(this.zoom * factor, clientWidth / 2, clientHeight / 2);
  }

  /** The point at (x, y) of the view stays there. */
  #zoomTo(zoom: number, x: number, y: number): void {
    const { element } = this;
    const at = [(element.scrollLeft + x - this.#margin()) / this.zoom, (element.scrollTop + y) / this.zoom] as const;
    this.#mode = "free";
    this.zoom = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, zoom));
    this.#resize();
    element.scrollLeft = at[0] * this.zoom + this.#margin() - x;
    element.scrollTop = at[1] * this.zoom - y;
    this.#refresh();
  }

  #setZoom(zoom: number): void {
    this.zoom = zoom;
    this.#fonts = this.#setFonts();
    this.#clear();
    this.#resize();
  }

  #setFonts(): Fonts {
    const scale = 1 / Math.min(1, Math.max(READABLE, this.zoom));
    const scaled = this.#mode === "free" && this.#fonts ? this.#fonts.scale : scale;
    const family = getComputedStyle(this.element).fontFamily || "sans-serif";
    this.svg.style.setProperty("--cnnw-ag-text", String(scaled));
    return {
      title: this.#fonts?.title ?? measurer(`600 12px ${family}`),
      small: this.#fonts?.small ?? measurer(`11px ${family}`),
      scale: scaled,
    };
  }

  #onResize(): void {
    const appeared = this.#hidden && this.element.clientWidth > 0;
    this.#hidden = this.element.clientWidth === 0;
    if (!this.drawing || this.#hidden) return;
    const zoom = this.#modeZoom(this.drawing);
    if (zoom === this.zoom) this.#resize();
    else this.#setZoom(zoom);
    this.#covered = undefined;
    if (appeared) this.#centre();
    this.#refresh();
    if (appeared) this.onAppear?.();
  }

  /** Around a drawing that is narrower than the view. */
  #margin(): number {
    return Math.max(0, (this.element.clientWidth - (this.drawing?.width ?? 0) * this.zoom) / 2);
  }

  #resize(): void {
    const { drawing, element, zoom, svg } = this;
    if (!drawing) return;
    const margin = this.#margin();
    svg.setAttribute("width", String(Math.floor(drawing.width * zoom + 2 * margin)));
    svg.setAttribute("height", String(Math.max(Math.floor(drawing.height * zoom), element.clientHeight - 1)));
    this.#world.setAttribute("transform", `translate(${margin} 0) scale(${zoom})`);
    const far = zoom < FAR;
    if (far !== this.#far) {
      this.#far = far;
      this.svg.classList.toggle("cnnw-ag-far", far);
      this.#clear();
    }
  }

  #clear(): void {
    this.elements.clear();
    this.#nodes.replaceChildren();
    this.#covered = undefined;
  }

  #onScreen(item: Item): [number, number] {
    const { element, zoom } = this;
    return [(item.x + item.w / 2) * zoom + this.#margin() - element.scrollLeft, item.y * zoom - element.scrollTop];
  }

  #inSight(): Rect {
    const { element, zoom } = this;
    return {
      x: (element.scrollLeft - this.#margin()) / zoom,
      y: element.scrollTop / zoom,
      w: element.clientWidth / zoom,
      h: element.clientHeight / zoom,
    };
  }

  #refresh(): void {
    const fonts = this.#fonts;
    if (!this.drawing || !fonts) return;
    const sight = this.#inSight();
    if (!this.#covered || !contains(this.#covered, sight)) this.#draw(fonts, sight);
    for (const [id, element] of this.elements) {
      const item = this.items.get(id);
      if (item?.open) stick(item, element, sight.x, sight.x + sight.w);
    }
  }

  #draw(fonts: Fonts, sight: Rect): void {
    const spare = 600 / this.zoom;
    const rect = { x: sight.x - spare, y: sight.y - spare, w: sight.w + 2 * spare, h: sight.h + 2 * spare };
    this.#covered = rect;
    const gone = new Set(this.elements.keys());
    let before: Element | null = null;
    for (const item of this.items.values()) {
      if (item.id !== this.#keep && !overlaps(item, rect)) continue;
      gone.delete(item.id);
      const present = this.elements.get(item.id);
      const element = present ?? drawItem(item, fonts, this.#far);
      // what is there stays where it is: it may have the focus
      if (!present) this.#nodes.insertBefore(element, before ? before.nextSibling : this.#nodes.firstChild);
      this.elements.set(item.id, element);
      before = element;
    }
    for (const id of gone) {
      this.elements.get(id)?.remove();
      this.elements.delete(id);
    }
    const inside = (lines: Line[]) => lines.filter((line) => overlaps(line.bounds, rect)).map((line) => line.path);
    this.#lines.setAttribute("d", inside(this.#routed).join(""));
    this.#back.setAttribute("d", inside(this.#returning).join(""));
    this.onDrawn?.();
  }

  #onWheel(event: WheelEvent): void {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const box = this.element.getBoundingClientRect();
    const step = Math.max(-60, Math.min(60, event.deltaY * (event.deltaMode === 1 ? 16 : 1)));
    this.#zoomTo(this.zoom * Math.exp(-step * 0.005), event.clientX - box.left, event.clientY - box.top);
  }
}
