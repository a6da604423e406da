/** Elements without HTML strings: labels and layer names are text, always. */
type Child = Node | string | null | undefined | false;
type Properties = Record<string, string | number | boolean | EventListener | undefined>;

function build<E extends Element>(element: E, properties: Properties, children: Child[]): E {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
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
): HTMLSelectElement {
  const select = h("select", { class: "cnnw-menu", "aria-label": label, title: label });
  for (const [key, text] of choices) select.append(h("option", { value: key }, text));
  select.value = value;
  select.addEventListener("change", () => onchange(select.value));
  return select;
}

/** A button whose accessible name is `name`. */
export function button(name: string, onclick: () => void, options: { title?: string; label?: string } = {}) {
  return h(
    "button",
    {
      type: "button",
      class: "cnnw-button",
      "aria-label": name,
      title: options.title ?? name,
      onclick: () => onclick(),
    },
    options.label ?? name,
  );
}

/** Calls `paint` at most once a frame. */
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
