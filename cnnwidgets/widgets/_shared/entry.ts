/** anywidget's entry points, and what every widget's root has: classes, aria-busy, an error to read and dismiss. */
import { openChannel } from "./channel";
import { button, h } from "./dom";
import { Link } from "./link";
import type { BaseState, Model, RenderContext } from "./model";
import type { RootView } from "./view";

/** The default export of the widget `name` ("feature-maps"), whose roots `Root` fills. */
export function entry<State extends BaseState>(
  name: string,
  Root: new (link: Link<State>, el: HTMLElement) => RootView<State>,
) {
  return {
    initialize: ({ model }: { model: Model<State> }): void => openChannel(model),
    render({ model, el }: RenderContext<State>): () => void {
      const link = new Link(model);
      openRoot(link, el, name);
      new Root(link, el);
      return () => link.close();
    },
  };
}

function openRoot(link: Link<BaseState>, el: HTMLElement, name: string): void {
  el.classList.add("cnnw", `cnnw-${name}`);
  // JupyterLab's own keys (x cuts the cell, arrows change it) look at the focused element, not at those around it.
  const keepKeys = (event: FocusEvent) => (event.target as Element).setAttribute("data-lm-suppress-shortcuts", "true");
  el.addEventListener("focusin", keepKeys);
  const errors = h("div", { class: "cnnw-error-place" });
  el.prepend(errors);
  link.onClose(() => {
    el.removeEventListener("focusin", keepKeys);
    el.replaceChildren();
  });
  link.showBusy(el);
  link.watch(["error", "error_details"], () => {
    const message = link.get("error");
    const details = link.get("error_details");
    const alert = h(
      "div",
      { class: "cnnw-error", role: "alert" },
      h("p", {}, message),
      details && h("details", {}, h("summary", {}, "Traceback"), h("pre", {}, details)),
      button("Dismiss", () => link.set("error", "")),
    );
    errors.replaceChildren(...(message ? [alert] : []));
  });
}
