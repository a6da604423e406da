/** A list of methods by family that opens under a button: one tab stop, arrows, type-ahead, Escape. */
import { h } from "../_shared/dom";
import { byFamily, typed } from "./families";
import type { Method } from "./state";

export interface Picker {
  button: HTMLButtonElement;
  list: HTMLElement;
  update(methods: readonly Method[], chosen: string): void;
  stop(): void;
}

let made = 0;

export function picker(pick: (name: string) => void): Picker {
  made += 1;
  const id = `cnnw-methods-${made}`;
  const label = h("span", {}, "More");
  const button = h(
    "button",
    {
      type: "button",
      class: "cnnw-ho-more",
      "aria-haspopup": "listbox",
      "aria-expanded": "false",
      "aria-controls": id,
    },
    label,
  );
  const list = h("div", {
    id,
    class: "cnnw-ho-list",
    role: "listbox",
    "aria-label": "Methods",
    tabindex: 0,
    popover: "manual",
  });
  // Not read out: the options themselves are.
  const cue = h("div", { class: "cnnw-ho-cue", "aria-hidden": "true" });
  let rows: readonly Method[] = [];
  let chosen = "";
  let at = -1;
  let letters = "";
  let last = -Infinity;

  const options = () => [...list.querySelectorAll<HTMLElement>("[role=option]")];
  const isOpen = () => button.getAttribute("aria-expanded") === "true";

  function go(to: number): void {
    const all = options();
    at = Math.min(Math.max(to, 0), all.length - 1);
    all.forEach((option, i) => option.classList.toggle("is-at", i === at));
    const option = all[at];
    if (!option) return;
    list.setAttribute("aria-activedescendant", option.id);
    if (at === all.length - 1) return void (list.scrollTop = list.scrollHeight);
    // Not scrollIntoView, which moves the notebook too.
    const over = list.scrollTop - option.offsetTop + 24;
    const under = option.offsetTop + option.offsetHeight + 4 + cue.offsetHeight - list.scrollTop - list.clientHeight;
    list.scrollTop += over > 0 ? -over : Math.max(under, 0);
  }

  function hint(): void {
    const end = list.scrollTop + list.clientHeight >= list.scrollHeight - 2;
    cue.textContent = end ? "" : "▾";
    if (end) return;
    const seen = list.scrollTop + list.clientHeight - cue.offsetHeight;
    const below = options().filter((option) => option.offsetTop + option.offsetHeight / 2 > seen).length;
    cue.textContent = `▾ ${below} more`;
  }

  function place(): void {
    const row = (button.parentElement ?? button).getBoundingClientRect();
    const room = { below: innerHeight - row.bottom - 8, above: row.top - 8 };
    const up = room.below < Math.min(list.scrollHeight, 240) && room.above > room.below;
    list.style.width = `${row.width}px`;
    list.style.left = `${row.left}px`;
    list.style.maxHeight = `${Math.min(up ? room.above : room.below, 420)}px`;
    list.style.top = up ? "auto" : `${row.bottom + 4}px`;
    list.style.bottom = up ? `${innerHeight - row.top + 4}px` : "auto";
  }

  function open(): void {
    button.setAttribute("aria-expanded", "true");
    list.showPopover();
    place();
    list.focus({ preventScroll: true });
    last = -Infinity;
    go(
      Math.max(
        rows.findIndex(([name]) => name === chosen),
        0,
      ),
    );
    hint();
    document.addEventListener("scroll", away, true);
    window.addEventListener("resize", close);
  }

  function close(): void {
    if (!isOpen()) return;
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("scroll", away, true);
    window.removeEventListener("resize", close);
    const had = list.contains(document.activeElement);
    list.hidePopover();
    if (had) button.focus({ preventScroll: true });
  }

  const away = (event: Event) => {
    if (event.target !== list) close();
  };

  function choose(option: HTMLElement | undefined): void {
    const name = option?.dataset["method"];
    close();
    if (name !== undefined) pick(name);
  }

  button.addEventListener("click", () => (isOpen() ? close() : open()));
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    event.stopPropagation();
    open();
  });
  list.addEventListener("focusout", (event) => {
    const to = event.relatedTarget as Node | null;
    // The button's own click closes.
    if (!to || (!list.contains(to) && !button.contains(to))) close();
  });
  list.addEventListener("scroll", hint);
  cue.addEventListener("click", () => (list.scrollTop += list.clientHeight - 2 * cue.offsetHeight));
  list.addEventListener("click", (event) => {
    const option = (event.target as Element).closest<HTMLElement>("[role=option]");
    if (option) choose(option);
  });
  list.addEventListener("keydown", (event) => {
    const { key } = event;
    if (key === "Tab") return close();
    const count = options().length;
    const typing = event.timeStamp - last < 700;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: count - 1, PageDown: at + 5, PageUp: at - 5 }[key];
    if (to !== undefined) go(to);
    else if (key === "Escape") close();
    else if (key === "Enter" || (key === " " && !typing)) choose(options()[at]);
    else if (key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      letters = typing ? letters + key : key;
      last = event.timeStamp;
      go(
        typed(
          rows.map(([, text]) => text),
          letters,
          at,
        ),
      );
    } else return;
    // JupyterLab moves between cells with the arrows, and the page scrolls.
    event.preventDefault();
    event.stopPropagation();
  });

  let listed = "";
  return {
    button,
    list,
    update(methods, wanted) {
      const families = byFamily(methods);
      rows = families.flatMap(([, members]) => members);
      chosen = wanted;
      const text = JSON.stringify(families);
      if (text !== listed) {
        listed = text;
        let number = 0;
        list.replaceChildren(
          ...families.map(([family, members], f) =>
            h(
              "div",
              { role: "group", "aria-labelledby": `${id}-f${f}` },
              h("div", { id: `${id}-f${f}`, class: "cnnw-ho-family", role: "presentation" }, family),
              ...members.map(([name, shown, question]) => {
                number += 1;
                return h(
                  "div",
                  { id: `${id}-${number}`, role: "option", class: "cnnw-ho-option", "data-method": name },
                  h("div", { class: "cnnw-ho-name", dir: "auto" }, shown),
                  h("div", { class: "cnnw-ho-question", dir: "auto" }, question),
                );
              }),
            ),
          ),
          cue,
        );
      }
      for (const option of options()) option.setAttribute("aria-selected", String(option.dataset["method"] === chosen));
      const mine = methods.find(([name]) => name === chosen);
      label.textContent = mine ? mine[1] : "More";
      button.setAttribute("aria-label", mine ? `More methods: ${mine[1]}` : "More methods");
      button.title = mine ? mine[2] : "All methods, by family";
      button.classList.toggle("is-chosen", mine !== undefined);
    },
    stop: close,
  };
}
