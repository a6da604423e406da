/** A widget's view: its link to its Python half, its root, and anywidget's entry points for it. */
import { type Data, openChannel, subscribe } from "./channel";
import { button, h } from "./dom";
import type { BaseState, Model, RenderContext } from "./model";

let commands = 0;

/** Traits, pushes and commands. Closing it undoes whatever began with it. */
export class Link<State extends BaseState> {
  readonly #undo: (() => void)[] = [];

  constructor(readonly model: Model<State>) {}

  get<K extends keyof State & string>(name: K): State[K] {
    return this.model.get(name);
  }

  /** Sets a trait and sends it to Python. */
  set<K extends keyof State & string>(name: K, value: State[K]): void {
    if (this.model.get(name) === value) return;
    this.model.set(name, value);
    this.model.save_changes();
  }

  /** `event` is `change:trait` or `msg:custom`. */
  listen(event: string, handler: (...args: never[]) => void): void {
    this.model.on(event, handler);
    this.onClose(() => this.model.off(event, handler));
  }

  /** Runs `handler` now and after each change of any of `names`. */
  watch(names: readonly (keyof State & string)[], handler: () => void): void {
    for (const name of names) this.listen(`change:${name}`, handler);
    handler();
  }

  /** Calls `handler` with the newest push of `kind` and with each that follows. */
  receive(kind: string, handler: (data: Data) => void): void {
    this.onClose(subscribe(this.model, kind, handler));
  }

  /** Sends a command that must arrive, each one, in order (traits coalesce; commands do not); returns its id. */
  command(op: string, content: Record<string, unknown> = {}, buffers: ArrayBuffer[] = []): number {
    commands += 1;
    this.model.send({ op, id: commands, ...content }, undefined, buffers);
    return commands;
  }

  /** Calls `handler` once the view is in the page, with the element around `el` that `selector` finds, if any. */
  whenInside(el: HTMLElement, selector: string, handler: (around: HTMLElement) => void): void {
    const frame = requestAnimationFrame(() => {
      const around = el.closest<HTMLElement>(selector);
      if (around) handler(around);
    });
    this.onClose(() => cancelAnimationFrame(frame));
  }

  /** `element` says that something is being computed. */
  showBusy(element: HTMLElement): void {
    this.watch(["busy"], () => {
      element.ariaBusy = this.get("busy") ? "true" : null;
    });
  }

  onClose(undo: () => void): void {
    this.#undo.push(undo);
  }

  close(): void {
    for (const undo of this.#undo.reverse()) undo();
  }
}

/** A view, or a part of one: it has its link from the start, for its fields to be made with. */
export abstract class View<State extends BaseState> {
  constructor(protected readonly link: Link<State>) {}
}

/** The view that fills a widget's root, `el`. */
export abstract class RootView<State extends BaseState> extends View<State> {
  constructor(
    link: Link<State>,
    protected readonly el: HTMLElement,
  ) {
    super(link);
  }
}

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
      watchKernel(link, el);
      return () => link.close();
    },
  };
}

/** Without its kernel a view says so, and nothing else in it can be used: a model that was live never is again. */
function watchKernel(link: Link<BaseState>, el: HTMLElement): void {
  link.listen("comm_live_update", () => {
    el.querySelector(":scope > .cnnw-gone")?.remove();
    for (const part of el.children) part.toggleAttribute("inert", true);
    const sentence = "The kernel is gone: run the cell again.";
    el.prepend(h("p", { class: "cnnw-error cnnw-gone", role: "alert" }, sentence));
  });
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
