/** The grid of maps: only the cells on screen exist, all of them can be reached by wheel and keyboard. */
import { everyFrame, h } from "../_shared/dom";
import { type Cell, fillCell, makeCell, painter } from "./cell";
import { type Layout, layout, move, reveal, visible } from "./layout";
import type { View } from "./view";

export interface Grid {
  element: HTMLElement;
  /** Lays out and paints `view` at once, if the grid is on screen; `channel` is the selected one. */
  show: (view: View, channel: number | null) => void;
  /** Marks a channel and brings it on screen. */
  select: (channel: number | null) => void;
  /** Marks the channels that are switched off. */
  switchOff: (channels: ReadonlySet<number>) => void;
  /** Gives the keyboard to the current cell. */
  focus: () => void;
  remove: () => void;
}

export function makeGrid(choose: (channel: number) => void, painted: (view: View) => void): Grid {
  const inner = h("div", { class: "fm-inner" });
  const element = h("div", { class: "fm-scroll", role: "listbox", "aria-label": "Feature maps" }, inner);
  const cells = new Map<number, Cell>();
  const spare: Cell[] = [];
  let view: View | null = null;
  let grid: Layout | null = null;
  let paint: ReturnType<typeof painter> | null = null;
  let selected: number | null = null;
  let off: ReadonlySet<number> = new Set();
  let active = 0;
  /** The selected map may have left the screen for another reason than the reader's scrolling. */
  let lost = false;

  const at = (channel: number) => view?.position[channel] ?? 0;

  function mark(cell: Cell, position: number) {
    const channel = view?.order[position];
    cell.element.setAttribute("aria-selected", String(channel === selected));
    cell.element.tabIndex = channel === active ? 0 : -1;
    cell.element.classList.toggle("fm-off", channel !== undefined && off.has(channel));
  }

  /** Makes the cells on screen, and that of the active channel, which must not lose the focus; frees all others. */
  function update(refill: boolean) {
    if (!view || !grid || !paint) return;
    const [first, last] = visible(grid, element.scrollTop, element.clientHeight);
    const kept = at(active);
    for (const [position, cell] of cells) {
      if ((position >= first && position < last) || position === kept) continue;
      cells.delete(position);
      spare.push(cell);
    }
    const fill = (position: number) => {
      let cell = cells.get(position);
      if (!cell) {
        cell = spare.pop() ?? makeCell();
        cells.set(position, cell);
        fillCell(cell, view!, grid!, position, paint!);
        if (!cell.element.isConnected) inner.append(cell.element);
      } else if (refill) {
        fillCell(cell, view!, grid!, position, paint!);
      }
      mark(cell, position);
    };
    for (let position = first; position < last; position += 1) fill(position);
    if (kept < first || kept >= last) fill(kept);
    for (const cell of spare) cell.element.remove();
    spare.length = Math.min(spare.length, 200);
  }

  function measure() {
    if (!view) return;
    const { maps } = view;
    grid = layout(maps.count, inner.clientWidth, view.cellSize, maps.height / maps.width);
    inner.style.height = `${grid.total}px`;
    // Shrinking a large map by dropping pixels would hide some of them.
    element.classList.toggle("fm-blend", maps.width > grid.width * devicePixelRatio);
  }

  function repaint() {
    if (!view || element.clientWidth === 0) return;
    paint = painter(view);
    measure();
    if (lost && selected !== null) bring(at(selected));
    lost = false;
    update(true);
    painted(view);
  }

  function bring(position: number) {
    if (!grid || element.clientHeight === 0) return;
    // The padding, 3 px at each end, is room for the selected cell's outline.
    const top = reveal(grid, position, element.scrollTop, element.clientHeight - 6);
    if (top !== element.scrollTop) element.scrollTop = top;
  }

  function activate(position: number) {
    active = view?.order[position] ?? 0;
    bring(position);
    update(false);
    cells.get(position)?.element.focus({ preventScroll: true });
  }

  const scrolled = everyFrame(() => update(false));
  element.addEventListener("scroll", scrolled.request, { passive: true });
  element.addEventListener("click", (event) => {
    const cell = (event.target as Element).closest<HTMLElement>("[data-channel]");
    if (!cell) return;
    const channel = Number(cell.dataset["channel"]);
    activate(at(channel));
    choose(channel);
  });
  element.addEventListener("keydown", (event) => {
    if (!view || !grid || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") choose(active);
    else {
      const to = move(grid, at(active), event.key, element.clientHeight);
      if (to === null) return;
      activate(to);
    }
    event.preventDefault();
    event.stopPropagation();
  });

  let [width, height] = [0, 0];
  const resized = new ResizeObserver(() => {
    const before = [width, height];
    [width, height] = [element.clientWidth, element.clientHeight];
    if (width !== before[0]) repaint();
    else if (height !== before[1]) update(false);
  });
  resized.observe(element);

  return {
    element,
    show: (next, channel) => {
      const other = view?.maps.layer !== next.maps.layer;
      lost ||= other || (channel !== null && view?.position[channel] !== next.position[channel]);
      view = next;
      selected = channel;
      if (channel !== null) active = channel;
      else if (active >= next.maps.count) active = 0;
      if (other) element.scrollTop = 0;
      element.setAttribute("aria-label", `Feature maps of ${next.maps.layer}`);
      [width, height] = [element.clientWidth, element.clientHeight];
      repaint();
    },
    select: (channel) => {
      selected = channel;
      if (channel !== null && view && channel < view.maps.count) {
        active = channel;
        bring(at(channel));
        update(false);
      } else cells.forEach(mark);
    },
    switchOff: (channels) => {
      off = channels;
      cells.forEach(mark);
    },
    focus: () => cells.get(at(active))?.element.focus({ preventScroll: true }),
    remove: () => {
      scrolled.cancel();
      resized.disconnect();
    },
  };
}
