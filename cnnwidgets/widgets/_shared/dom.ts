/** Elements without HTML strings: labels and layer names are text, always. */
import "./theme.css";
import "./base.css";

type Child = Node | string | null | undefined | false;
type Properties = Record<string, string | number | boolean | EventListener | undefined>;

function build<E extends Element>(element: E, properties: Properties, children: Child[]): E {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.replace(/^on/u, ""), value);
    // A page whose security policy allows no style in the markup counts the attribute to it.
    else if (name === "style") (element as unknown as HTMLElement).style.cssText = String(value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}

/** `h("button", {class: "x", onclick: go}, "Go")`. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return build(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return build(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

/** A labelled menu; `choices` are [value, text]. */
export function menu(
  label: string,
  choices: readonly (readonly [string, string])[],
  value: string,
  onchange: (value: string) => void,
  title = label,
): HTMLSelectElement {
  const options = choices.map(([key, text]) => h("option", { value: key }, text));
  const select = h("select", { class: "cnnw-menu cnnw-field", "aria-label": label, title }, ...options);
  select.value = value;
  select.addEventListener("change", () => onchange(select.value));
  return select;
}

export function button(name: string, onclick: () => void, options: { title?: string; label?: string } = {}) {
  const title = options.title ?? name;
  const properties = { type: "button", class: "cnnw-button cnnw-field", "aria-label": name, title };
  return h("button", { ...properties, onclick: () => onclick() }, options.label ?? name);
}

export function checkbox(label: string, onchange: (on: boolean) => void, title = "") {
  const input = h("input", { type: "checkbox" });
  input.addEventListener("change", () => onchange(input.checked));
  return { element: h("label", { class: "cnnw-check", title: title || undefined }, input, label), input };
}

/** Writes `text` into `element` and its tooltip: it may be cut off. */
export function setText(element: HTMLElement, text: string): void {
  element.textContent = element.title = text;
}

/** Writes `text` into `element`, which is hidden where there is nothing to say. */
export function tell(element: HTMLElement, text: string): void {
  element.textContent = text;
  element.hidden = text === "";
}

/** Marks the button of a row that has `value`. It is where Tab stops, or else the first that can be pressed. */
export function choose(row: HTMLElement, value: string, mark: "aria-checked" | "aria-selected"): void {
  const buttons = [...row.querySelectorAll("button")];
  const stop = buttons.find((own) => own.value === value) ?? buttons.find((own) => !own.disabled);
  for (const own of buttons) {
    own.setAttribute(mark, String(own.value === value));
    own.tabIndex = own === stop ? 0 : -1;
  }
}

/**
 * Arrows, and Home and End, go along the buttons of `row` and press the one they come to: past its ends from the other
 * one, or with `stops` no further. Up and down are the page's unless they are `vertical`, too.
 */
export function walkByKeys(row: HTMLElement, { vertical = true, stops = false } = {}): void {
  row.addEventListener("keydown", (event) => {
    const buttons = [...row.querySelectorAll("button")].filter((own) => !own.disabled);
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const last = buttons.length - 1;
    const [down, up] = vertical ? [at + 1, at - 1] : [];
    const keys = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: down, ArrowUp: up, Home: 0, End: last };
    const to = keys[event.key as keyof typeof keys];
    if (to === undefined || at < 0) return;
    claim(event);
    const next = buttons[stops ? Math.min(Math.max(to, 0), last) : (to + buttons.length) % buttons.length];
    next?.focus({ preventScroll: true });
    next?.click();
  });
}

/** The head of a panel: its name, and what stands beside. */
export function panelHeading(name: string, ...beside: Child[]): HTMLElement {
  return h("h3", { class: "cnnw-heading" }, h("span", { class: "cnnw-panel-name" }, name), ...beside);
}

/** Neither JupyterLab, which moves between cells with the arrows, nor the page, which scrolls, gets the event. */
export function claim(event: Event): void {
  event.preventDefault();
  event.stopPropagation();
}

/** A check whether its arguments are others than at the call before. */
export function changes(): (...parts: unknown[]) => boolean {
  let before: unknown[] = [];
  return (...parts) => {
    const differ = parts.length !== before.length || parts.some((part, i) => part !== before[i]);
    before = parts;
    return differ;
  };
}

export function everyFrame(paint: () => void): { request: () => void; cancel: () => void } {
  let frame = 0;
  return {
    request: () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        paint();
      });
    },
    cancel: () => {
      cancelAnimationFrame(frame);
      frame = 0;
    },
  };
}

export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser has no 2D canvas");
  return context;
}

export function putImage(canvas: HTMLCanvasElement, image: ImageData): void {
  if (canvas.width !== image.width) canvas.width = image.width;
  if (canvas.height !== image.height) canvas.height = image.height;
  contextOf(canvas).putImageData(image, 0, 0);
}
