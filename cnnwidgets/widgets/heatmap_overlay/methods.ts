/** The choice of method: the first few as segments, the rest in a list, and the question the chosen one answers. */
import { h } from "../_shared/dom";
import { assign, type Model, watch } from "../_shared/model";
import { picker } from "./picker";
import { segmented } from "./segmented";
import type { State } from "./state";

const SEGMENTS = 4;

export function methods(model: Model<State>): { element: HTMLElement; stop: () => void } {
  const pick = (name: string) => assign(model, "method", name);
  const segments = segmented("Method", pick);
  const more = picker(pick);
  const question = h("p", { class: "cnnw-ho-soft", dir: "auto" });
  const element = h("div", { class: "cnnw-ho-methods" }, segments.element, more.list, question);

  const stop = watch(model, ["methods", "method"], () => {
    const all = model.get("methods");
    const chosen = model.get("method");
    element.hidden = all.length === 0;
    const first = all.length > SEGMENTS ? all.slice(0, SEGMENTS - 1) : all;
    const rest = all.slice(first.length);
    more.update(rest, chosen);
    segments.update(
      first.map(([value, label, title]) => ({ value, label, title: title || label })),
      chosen,
      rest.length > 0 ? more.button : null,
    );
    question.textContent = all.find(([name]) => name === chosen)?.[2] ?? "";
    question.hidden = question.textContent === "";
  });
  return {
    element,
    stop: () => {
      more.stop();
      stop();
    },
  };
}
