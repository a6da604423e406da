/** A widget's view: its link to its Python half, its root, and anywidget's entry points for it. */
import { button, h } from "./dom";
import { hideStill, watchKernel } from "./liveness";

/** What a widget sees of its Python half: synced traits and custom messages. */
export interface Model<State extends object> {
  get<K extends keyof State & string>(name: K): State[K];
  set<K extends keyof State & string>(name: K, value: State[K]): void;
  save_changes(): void;
  on(event: string, handler: (...args: never[]) => void): void;
  off(event?: string | null, handler?: ((...args: never[]) => void) | null): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
  /** JupyterLab's; other front ends have one of their own. */
  widget_manager?: { kernel?: { connectionStatusChanged: Signal<string> } | null };
}

interface Signal<T> {
  connect(slot: (sender: unknown, value: T) => void): void;
  disconnect(slot: (sender: unknown, value: T) => void): void;
}

export interface BaseState {
  busy: boolean;
  error: string;
  error_details: string;
  network: string;
  photograph: string;
  switched: string;
}

const TYPES = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array, float64: Float64Array };

export type Numbers = Uint8Array | Int32Array | Float32Array | Float64Array;

export interface ArrayData {
  data: Numbers;
  shape: number[];
}

export interface Data {
  kind: string;
  id: number;
  content: Record<string, unknown>;
  arrays: Record<string, ArrayData>;
}

/** A typed array over a message's buffer; copied only where the offset is not aligned. */
export function decode(
  buffer: DataView<ArrayBuffer> | ArrayBuffer,
  dtype: keyof typeof TYPES,
  shape: number[],
): ArrayData {
  const { buffer: bytes, byteOffset, byteLength } = buffer instanceof DataView ? buffer : new DataView(buffer);
  const Type = TYPES[dtype];
  const length = shape.reduce((product, side) => product * side, 1);
  const size = length * Type.BYTES_PER_ELEMENT;
  if (byteLength < size) {
    throw new Error(`a ${dtype} array of shape ${shape.join("x")} needs ${size} bytes, got ${byteLength}`);
  }
  const isAligned = byteOffset % Type.BYTES_PER_ELEMENT === 0;
  const data = isAligned ? new Type(bytes, byteOffset, length) : new Type(bytes.slice(byteOffset, byteOffset + size));
  return { data, shape };
}

/** How Python pushes bulk data: `content` and one buffer an array. */
interface Message {
  op: string;
  kind: string;
  id: number;
  arrays: { name: string; dtype: keyof typeof TYPES; shape: number[] }[];
  [content: string]: unknown;
}

interface Store {
  latest: Map<string, Data>;
  listeners: Set<(data: Data) => void>;
}

const stores = new WeakMap<object, Store>();

/**
 * The store of a model's data, listening from the first call on: call it in `initialize`, before any view exists. A
 * push with a lower id than the one before is dropped.
 */
export function openChannel(model: Pick<Model<object>, "on">): Store {
  const present = stores.get(model);
  if (present) return present;
  const store: Store = { latest: new Map(), listeners: new Set() };
  stores.set(model, store);
  const receive = ({ op, kind, id, arrays, ...content }: Message, buffers: DataView<ArrayBuffer>[]) => {
    if (op !== "data" || (store.latest.get(kind)?.id ?? 0) > id) return;
    const data: Data = { kind, id, content, arrays: {} };
    for (const [index, { name, dtype, shape }] of arrays.entries()) {
      const buffer = buffers[index];
      if (buffer) data.arrays[name] = decode(buffer, dtype, shape);
    }
    store.latest.set(kind, data);
    for (const listener of store.listeners) listener(data);
  };
  model.on("msg:custom", receive as (...args: never[]) => void);
  return store;
}

let commands = 0;

/** Traits, pushes and commands. Closing it undoes whatever began with it. */
export class Link<State extends BaseState> {
  readonly #undo: (() => void)[] = [];

  constructor(readonly model: Model<State>) {}

  get<K extends keyof State & string>(name: K): State[K] {
    return this.model.get(name);
  }

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

  /** Calls `handler` with the newest push of `kind` and with each that follows; asks Python if there is none yet. */
  receive(kind: string, handler: (data: Data) => void): void {
    const { latest, listeners } = openChannel(this.model);
    const listener = (data: Data) => {
      if (data.kind === kind) handler(data);
    };
    listeners.add(listener);
    this.onClose(() => listeners.delete(listener));
    const newest = latest.get(kind);
    if (newest) handler(newest);
    else this.model.send({ op: "pull", kind });
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

/**
 * The default export of the widget `name` ("feature-maps"), whose roots `Root` fills. One that `worksAlone` has all it
 * needs in its state, and is used without a kernel, too.
 */
export function entry<State extends BaseState>(
  name: string,
  Root: new (link: Link<State>, el: HTMLElement) => RootView<State>,
  { worksAlone = false } = {},
) {
  return {
    initialize({ model }: { model: Model<State> }): void {
      openChannel(model);
    },
    render({ model, el }: { model: Model<State>; el: HTMLElement }): () => void {
      const link = new Link(model);
      openRoot(link, el, name);
      new Root(link, el);
      if (!worksAlone) watchKernel(link, el);
      hideStill(link, el);
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
  const switched = h("div", { class: "cnnw-switched-place" });
  el.prepend(errors, switched);
  link.onClose(() => {
    el.removeEventListener("focusin", keepKeys);
    el.replaceChildren();
  });
  link.showBusy(el);
  // The button comes first: when the line goes, the widget's title is under the pointer, and no other button.
  link.watch(["switched"], () => {
    const sentence = link.get("switched");
    const on = button("Switch all on", () => link.command("switch_all_on"), {
      title: "Let the network have all its channels again, in every layer",
    });
    const text = h("span", { title: sentence }, sentence);
    const line = h("p", { class: "cnnw-switched cnnw-strip cnnw-line cnnw-small", role: "status" }, on, text);
    switched.replaceChildren(...(sentence ? [line] : []));
  });
  link.watch(["error", "error_details"], () => {
    const message = link.get("error");
    const details = link.get("error_details");
    const folded =
      details &&
      h("details", {}, h("summary", { title: "Where in the code it went wrong" }, "Traceback"), h("pre", {}, details));
    const dismiss = button("Dismiss", () => link.set("error", ""), { title: "Take this message away" });
    const sentence = h("p", { class: "cnnw-wrap" }, message);
    const alert = h("div", { class: "cnnw-error", role: "alert" }, sentence, folded, dismiss);
    errors.replaceChildren(...(message ? [alert] : []));
  });
}
