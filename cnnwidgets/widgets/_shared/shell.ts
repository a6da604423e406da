/** What every widget's root has in common: classes, aria-busy, and an error that can be read and dismissed. */
import { h } from "./dom";
import { assign, type BaseState, type Model, watch } from "./model";

/** Prepares `el` as the root of the widget `name` ("feature-maps"); returns what undoes it. */
export function shell<State extends BaseState>(el: HTMLElement, model: Model<State>, name: string): () => void {
  const base = model as unknown as Model<BaseState>;
  el.classList.add("cnnw", `cnnw-${name}`);
  // JupyterLab's own keys (x cuts the cell, arrows change it) look at the focused element, not at those around it.
  const keepKeys = (event: FocusEvent) => (event.target as Element).setAttribute("data-lm-suppress-shortcuts", "true");
  el.addEventListener("focusin", keepKeys);
  const place = h("div", { class: "cnnw-error-place" });
  el.prepend(place);
  const stopBusy = watch(base, ["busy"], () => {
    if (base.get("busy")) el.setAttribute("aria-busy", "true");
    else el.removeAttribute("aria-busy");
  });
  const stopError = watch(base, ["error", "error_details"], () => {
    place.replaceChildren();
    const message = base.get("error");
    if (!message) return;
    const details = base.get("error_details");
    place.append(
      h(
        "div",
        { class: "cnnw-error", role: "alert" },
        h("p", {}, message),
        details && h("details", {}, h("summary", {}, "Traceback"), h("pre", {}, details)),
        h(
          "button",
          {
            type: "button",
            class: "cnnw-button",
            "aria-label": "Dismiss",
            onclick: () => assign(base, "error", ""),
          },
          "Dismiss",
        ),
      ),
    );
  });
  return () => {
    stopBusy();
    stopError();
    el.removeEventListener("focusin", keepKeys);
    el.replaceChildren();
  };
}
