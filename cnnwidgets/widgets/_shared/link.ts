/** A view's link to its Python half: traits, pushes and commands. Closing it undoes whatever began with it. */
import { type Data, subscribe } from "./channel";
import type { BaseState, Model } from "./model";

let commands = 0;

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
