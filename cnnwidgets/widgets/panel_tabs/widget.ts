/** Tabs of which one shows its panels; the panels are the neighbours of this widget in its box. */
import { choose, h } from "../_shared/dom";
import { type BaseState, entry, type Link, RootView } from "../_shared/view";
import "./widget.css";

export function moved(key: string, at: number, count: number): number {
  if (at < 0 || count === 0) return -1;
  switch (key) {
    case "ArrowRight":
      return (at + 1) % count;
    case "ArrowLeft":
      return (at - 1 + count) % count;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return -1;
  }
}

export interface PanelTabsState extends BaseState {
  tabs: [name: string, label: string, hint: string][];
  active: string;
  working: string[];
}

const PREFIX = "cnnw-tab-";

class PanelTabsView extends RootView<PanelTabsState> {
  readonly #list = h("div", { class: "cnnw-tab-list", role: "tablist", "aria-label": "Panels of the image" });

  constructor(link: Link<PanelTabsState>, el: HTMLElement) {
    super(link, el);
    el.append(this.#list);
    this.#list.addEventListener("keydown", (event) => this.#onKey(event));
    link.watch(["tabs"], () => {
      this.#list.replaceChildren(...link.get("tabs").map((tab) => this.#tab(tab)));
      this.#show();
    });
    link.watch(["active", "working"], () => this.#show());
    // The neighbours come after this widget, one by one.
    link.whenInside(el, "*", () => {
      this.#show();
      if (!el.parentElement) return;
      const arrivals = new MutationObserver(() => this.#show());
      arrivals.observe(el.parentElement, { childList: true });
      link.onClose(() => arrivals.disconnect());
    });
  }

  #tab([value, label, title]: [name: string, label: string, hint: string]): HTMLElement {
    const onclick = () => this.link.set("active", value);
    return h("button", { type: "button", class: "cnnw-plain", role: "tab", value, title, onclick }, label);
  }

  #tabs(): HTMLButtonElement[] {
    return [...this.#list.querySelectorAll("button")];
  }

  #show(): void {
    const active = this.link.get("active");
    choose(this.#tabs(), active, "aria-selected");
    for (const tab of this.#tabs()) {
      tab.classList.toggle("is-working", this.link.get("working").includes(tab.value));
    }
    for (const panel of this.el.parentElement?.children ?? []) {
      const names = [...panel.classList].filter((name) => name.startsWith(PREFIX));
      if (names.length > 0) panel.classList.toggle("is-behind", !names.includes(PREFIX + active));
    }
    // What lay behind had no size to draw in.
    window.dispatchEvent(new Event("resize"));
  }

  #onKey(event: KeyboardEvent): void {
    const tabs = this.#tabs();
    const next = tabs[moved(event.key, tabs.indexOf(document.activeElement as HTMLButtonElement), tabs.length)];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.click();
  }
}

export default entry<PanelTabsState>("panel-tabs", PanelTabsView);
