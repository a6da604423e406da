/** Tabs of which one shows its panels; the panels are the neighbours of this widget in its box. */
import "../_shared/base.css";
import "./widget.css";
import { openChannel } from "../_shared/channel";
import { h } from "../_shared/dom";
import { assign, type BaseState, type Model, type RenderContext, watch } from "../_shared/model";
import { shell } from "../_shared/shell";
import { moved } from "./keys";

export interface State extends BaseState {
  tabs: [name: string, label: string, hint: string][];
  active: string;
  working: string[];
}

function render({ model, el }: RenderContext<State>): () => void {
  const unshell = shell(el, model, "panel-tabs");
  const list = h("div", { class: "cnnw-tab-list", role: "tablist", "aria-label": "Panels of the image" });
  el.append(list);
  const buttons = () => [...list.querySelectorAll<HTMLButtonElement>("button")];
  list.addEventListener("keydown", (event) => {
    const all = buttons();
    const next = all[moved(event.key, all.indexOf(document.activeElement as HTMLButtonElement), all.length)];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.click();
  });

  function show(): void {
    const active = model.get("active");
    for (const tab of buttons()) {
      const on = tab.value === active;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      tab.classList.toggle("is-working", model.get("working").includes(tab.value));
    }
    for (const panel of el.parentElement?.children ?? []) {
      const names = [...panel.classList].filter((name) => name.startsWith("cnnw-tab-")).map((name) => name.slice(9));
      if (names.length) panel.classList.toggle("is-behind", !names.includes(active));
    }
    // What lay behind had no size to draw in.
    window.dispatchEvent(new Event("resize"));
  }

  const offs = [
    watch(model, ["tabs"], () => {
      list.replaceChildren(
        ...model
          .get("tabs")
          .map(([name, label, hint]) =>
            h(
              "button",
              { type: "button", role: "tab", value: name, title: hint, onclick: () => assign(model, "active", name) },
              label,
            ),
          ),
      );
      show();
    }),
    watch(model, ["active", "working"], show),
  ];
  // The neighbours come after this widget, one by one.
  const frame = requestAnimationFrame(() => {
    show();
    if (!el.parentElement) return;
    const arrivals = new MutationObserver(show);
    arrivals.observe(el.parentElement, { childList: true });
    offs.push(() => arrivals.disconnect());
  });
  return () => {
    cancelAnimationFrame(frame);
    offs.forEach((off) => off());
    unshell();
  };
}

export default {
  initialize: ({ model }: { model: Model<State> }) => openChannel(model),
  render,
};
