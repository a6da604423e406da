/** The choice of method: the first few as segments, the rest in a list, and the question the chosen one answers. */
import { h } from "../_shared/dom";
import { Segmented } from "../_shared/segmented";
import type { Link } from "../_shared/view";
import { MethodList } from "./method_list";
import type { OverlayState } from "./state";

const SEGMENTS = 4;

export function methodChoice(link: Link<OverlayState>): HTMLElement {
  const pick = (name: string) => link.set("method", name);
  const segments = new Segmented("Method", pick);
  const list = new MethodList(pick);
  const question = h("p", { class: "cnnw-ho-soft cnnw-soft cnnw-wrap", dir: "auto" });
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
    question.textContent = methods.find(([name]) => name === method)?.[2] ?? "";
    question.hidden = question.textContent === "";
  });
  return element;
}
