/** The choice of method: the first few as segments, the rest in a list, and the question the chosen one answers. */
import { byFamily } from "../_maps/families";
import type { Method } from "../_maps/scale";
import { changes, claim, h, tell } from "../_shared/dom";
import { Segmented } from "../_shared/segmented";
import type { Link } from "../_shared/view";
import type { OverlayState } from "./look";
import "../_shared/popup.css";

/** Milliseconds between two letters of one word. */
const PAUSE = 700;

let lists = 0;

/** A list of methods by family that opens under a button: one tab stop, arrows, type-ahead, Escape. */
export class MethodList {
  readonly button: HTMLButtonElement;
  readonly element: HTMLElement;
  readonly #id = `cnnw-methods-${lists}`;
  readonly #label = h("span", {}, "More");
  // Not read out: the options themselves are.
  readonly #cue = h("div", { class: "cnnw-ho-cue cnnw-small", "aria-hidden": "true" });
  readonly #familiesChanged = changes();
  #methods: readonly Method[] = [];
  #method = "";
  #at = -1;
  /** Ends what is listened to while the list is open. */
  #closing = new AbortController();
  #letters = "";
  #typedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly pick: (name: string) => void) {
    lists += 1;
    const popup = { type: "button", "aria-haspopup": "listbox", "aria-expanded": "false", "aria-controls": this.#id };
    const list = { role: "listbox", "aria-label": "Methods", tabindex: 0, popover: "manual" };
    this.button = h(
      "button",
      { class: "cnnw-ho-more cnnw-plain cnnw-soft cnnw-cut cnnw-around", ...popup },
      this.#label,
    );
    this.element = h("div", { id: this.#id, class: "cnnw-ho-list cnnw-popup", ...list });
    this.#listenToButton();
    this.#listenToList();
  }

  update(methods: readonly Method[], method: string): void {
    const families = byFamily(methods);
    this.#methods = families.flatMap(([, members]) => members);
    this.#method = method;
    if (this.#familiesChanged(JSON.stringify(families))) {
      this.element.replaceChildren(...families.map((family, i) => this.#group(family, i)), this.#cue);
    }
    for (const option of this.#options()) {
      option.setAttribute("aria-selected", String(option.dataset["method"] === method));
    }
    const own = methods.find(([name]) => name === method);
    this.#label.textContent = own ? own[1] : "More";
    this.button.setAttribute("aria-label", own ? `More methods: ${own[1]}` : "More methods");
    this.button.title = own ? own[2] : "All methods, by family";
    this.button.classList.toggle("is-chosen", own !== undefined);
  }

  close(): void {
    if (!this.#isOpen()) return;
    this.button.setAttribute("aria-expanded", "false");
    this.#closing.abort();
    const hadFocus = this.element.contains(document.activeElement);
    this.element.hidePopover();
    if (hadFocus) this.button.focus({ preventScroll: true });
  }

  #group([family, members]: [heading: string, members: Method[]], index: number): HTMLElement {
    const id = `${this.#id}-f${index}`;
    const heading = h("div", { id, class: "cnnw-ho-family cnnw-small cnnw-soft", role: "presentation" }, family);
    const options = members.map(([name, label, question], i) =>
      h(
        "div",
        { id: `${id}-${i}`, role: "option", class: "cnnw-ho-option", "data-method": name },
        h("div", { class: "cnnw-ho-name", dir: "auto" }, label),
        h("div", { class: "cnnw-small cnnw-soft cnnw-wrap", dir: "auto" }, question),
      ),
    );
    return h("div", { role: "group", "aria-labelledby": id }, heading, ...options);
  }

  #options(): HTMLElement[] {
    return [...this.element.querySelectorAll<HTMLElement>("[role=option]")];
  }

  #isOpen(): boolean {
    return this.button.getAttribute("aria-expanded") === "true";
  }

  #open(): void {
    this.button.setAttribute("aria-expanded", "true");
    this.element.showPopover();
    this.#putUnderButton();
    this.element.focus({ preventScroll: true });
    this.#typedAt = Number.NEGATIVE_INFINITY;
    const at = this.#methods.findIndex(([name]) => name === this.#method);
    this.#go(Math.max(at, 0));
    this.#updateCue();
    this.#closing = new AbortController();
    const { signal } = this.#closing;
    const onScroll = ({ target }: Event) => target !== this.element && this.close();
    document.addEventListener("scroll", onScroll, { capture: true, signal });
    window.addEventListener("resize", () => this.close(), { signal });
  }

  #choose(option: HTMLElement | null | undefined): void {
    const name = option?.dataset["method"];
    this.close();
    if (name !== undefined) this.pick(name);
  }

  #go(to: number): void {
    const { element: list } = this;
    const cue = this.#cue;
    const options = this.#options();
    this.#at = Math.min(Math.max(to, 0), options.length - 1);
    for (const [i, option] of options.entries()) option.classList.toggle("is-at", i === this.#at);
    const option = options[this.#at];
    if (!option) return;
    list.setAttribute("aria-activedescendant", option.id);
    if (this.#at === options.length - 1) {
      list.scrollTop = list.scrollHeight;
      return;
    }
    // Not scrollIntoView, which moves the notebook too.
    const over = list.scrollTop - option.offsetTop + 24;
    const under = option.offsetTop + option.offsetHeight + 4 + cue.offsetHeight - list.scrollTop - list.clientHeight;
    list.scrollTop += over > 0 ? -over : Math.max(under, 0);
  }

  /** The cue at the bottom says how many methods come after what is in sight. */
  #updateCue(): void {
    const { element: list } = this;
    const bottom = list.scrollTop + list.clientHeight;
    const end = bottom >= list.scrollHeight - 2;
    this.#cue.textContent = end ? "" : "▾";
    if (end) return;
    const below = this.#options().filter(
      ({ offsetTop, offsetHeight }) => offsetTop + offsetHeight / 2 > bottom - this.#cue.offsetHeight,
    );
    this.#cue.textContent = `▾ ${below.length} more`;
  }

  #putUnderButton(): void {
    const { scrollHeight, style } = this.element;
    const row = (this.button.parentElement ?? this.button).getBoundingClientRect();
    const [below, above] = [innerHeight - row.bottom - 8, row.top - 8];
    const up = below < Math.min(scrollHeight, 240) && above > below;
    style.width = `${row.width}px`;
    style.left = `${row.left}px`;
    style.maxHeight = `${Math.min(up ? above : below, 420)}px`;
    style.top = up ? "auto" : `${row.bottom + 4}px`;
    style.bottom = up ? `${innerHeight - row.top + 4}px` : "auto";
  }

  #listenToButton(): void {
    this.button.addEventListener("click", () => (this.#isOpen() ? this.close() : this.#open()));
    this.button.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      claim(event);
      this.#open();
    });
  }

  #listenToList(): void {
    const { element: list } = this;
    list.addEventListener("focusout", (event) => {
      const to = event.relatedTarget as Node | null;
      // The button's own click closes.
      if (!to || !(list.contains(to) || this.button.contains(to))) this.close();
    });
    list.addEventListener("scroll", () => this.#updateCue());
    this.#cue.addEventListener("click", () => {
      list.scrollTop += list.clientHeight - 2 * this.#cue.offsetHeight;
    });
    list.addEventListener("click", (event) => {
      const option = (event.target as Element).closest<HTMLElement>("[role=option]");
      if (option) this.#choose(option);
    });
    list.addEventListener("keydown", (event) => this.#onKey(event));
  }

  #onKey(event: KeyboardEvent): void {
    const { key } = event;
    const at = this.#at;
    if (key === "Tab") {
      this.close();
      return;
    }
    const options = this.#options();
    const end = options.length - 1;
    const typing = event.timeStamp - this.#typedAt < PAUSE;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: end, PageDown: at + 5, PageUp: at - 5 }[key];
    if (to !== undefined) this.#go(to);
    else if (key === "Escape") this.close();
    else if (key === "Enter" || (key === " " && !typing)) this.#choose(options[at]);
    else if (key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      this.#letters = typing ? this.#letters + key : key;
      this.#typedAt = event.timeStamp;
      const labels = this.#methods.map(([, label]) => label);
      this.#go(typed(labels, this.#letters, at));
    } else return;
    claim(event);
  }
}

/**
 * Where type-ahead goes from `at`: the next text that begins with `letters`, round the end; one letter typed again
 * goes on to the next. `at` where there is none.
 */
export function typed(texts: readonly string[], letters: string, at: number): number {
  const prefix = letters.toLowerCase();
  const first = prefix.slice(0, 1);
  const repeated = [...prefix].every((letter) => letter === first);
  const next = nextWith(texts, prefix, prefix.length > 1 ? at : at + 1);
  return next ?? (repeated ? nextWith(texts, first, at + 1) : null) ?? at;
}

/** The first text from `start` on, round the end, that begins with `prefix`. */
function nextWith(texts: readonly string[], prefix: string, start: number): number | null {
  for (let step = 0; step < texts.length; step += 1) {
    const i = (start + step + texts.length) % texts.length;
    if (texts[i]!.toLowerCase().startsWith(prefix)) return i;
  }
  return null;
}

const SEGMENTS = 4;

export function methodChoice(link: Link<OverlayState>): HTMLElement {
  const pick = (name: string) => link.set("method", name);
  const segments = new Segmented("Method", pick);
  const list = new MethodList(pick);
  const question = h("p", { class: "cnnw-under cnnw-soft cnnw-wrap", dir: "auto" });
  const element = h("div", { class: "cnnw-ho-methods" }, segments.element, list.element, question);
  link.onClose(() => list.close());
  link.watch(["methods", "method"], () => {
    const methods = link.get("methods");
    const method = link.get("method");
    element.hidden = methods.length === 0;
    const first = methods.length > SEGMENTS ? methods.slice(0, SEGMENTS - 1) : methods;
    const rest = methods.slice(first.length);
    list.update(rest, method);
    const choices = first.map(([value, label, title]) => ({ value, label, title: title || label }));
    segments.update(choices, method, rest.length > 0 ? list.button : null);
    tell(question, methods.find(([name]) => name === method)?.[2] ?? "");
  });
  return element;
}
