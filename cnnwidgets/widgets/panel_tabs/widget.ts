/** Tabs of which one shows its panels; the panels are the neighbours of this widget in its box. */
import { choose, h, walkByKeys } from "../_shared/dom";
import { type BaseState, entry, type Link, RootView } from "../_shared/view";
import "./widget.css";

export interface PanelTabsState extends BaseState {
  tabs: [name: string, label: string, hint: string][];
  active: string;
  working: string[];
}

const PREFIX = "cnnw-tab-";
let panels = 0;

class PanelTabsView extends RootView<PanelTabsState> {
  readonly #list = h("div", { class: "cnnw-tab-list cnnw-row", role: "tablist", "aria-label": "Panels of the image" });

  constructor(link: Link<PanelTabsState>, el: HTMLElement) {
    super(link, el);
    el.append(this.#list);
    walkByKeys(this.#list, { vertical: false });
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
    return h("button", { type: "button", class: "cnnw-plain cnnw-soft", role: "tab", value, title, onclick }, label);
  }

  #show(): void {
    const active = this.link.get("active");
    choose(this.#list, active, "aria-selected");
    const tabs = this.#list.querySelectorAll("button");
    for (const tab of tabs) {
      tab.classList.toggle("is-working", this.link.get("working").includes(tab.value));
    }
    for (const panel of this.el.parentElement?.children ?? []) {
      const names = [...panel.classList].filter((name) => name.startsWith(PREFIX));
      if (names.length === 0) continue;
      panel.classList.toggle("is-behind", !names.includes(PREFIX + active));
      panels += Number(!panel.id);
      panel.id ||= `cnnw-panel-${panels}`;
    }
    for (const tab of tabs) this.#own(tab);
    // What lay behind had no size to draw in.
    window.dispatchEvent(new Event("resize"));
  }

  /** Says which panels are the tab's, both ways. */
  #own(tab: HTMLButtonElement): void {
    const own = [...(this.el.parentElement?.getElementsByClassName(PREFIX + tab.value) ?? [])];
    if (own.length === 0) return;
    tab.id = `${own[0]!.id}-tab`;
    tab.setAttribute("aria-controls", own.map((panel) => panel.id).join(" "));
    for (const panel of own) {
      panel.role = "tabpanel";
      panel.setAttribute("aria-labelledby", tab.id);
    }
  }
}

export default entry<PanelTabsState>("panel-tabs", PanelTabsView);
