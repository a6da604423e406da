/** What a widget sees of its Python half: synced traits and custom messages. */
export interface Model<State extends object> {
  get<K extends keyof State & string>(name: K): State[K];
  set<K extends keyof State & string>(name: K, value: State[K]): void;
  save_changes(): void;
  on(event: string, handler: (...args: never[]) => void): void;
  off(event?: string | null, handler?: ((...args: never[]) => void) | null): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
}

/** The traits every widget has. */
export interface BaseState {
  /** Something is being computed for this widget. */
  busy: boolean;
  /** One sentence for the reader, empty when all is well. */
  error: string;
  /** The reader's own lines and the cause behind `error`, or empty. */
  error_details: string;
  /** Names for titles; empty where they are not known. */
  network: string;
  photograph: string;
}

export interface RenderContext<State extends object> {
  model: Model<State>;
  el: HTMLElement;
}

/** Sets a trait and sends it to Python. */
export function assign<State extends object, K extends keyof State & string>(
  model: Model<State>,
  name: K,
  value: State[K],
): void {
  if (model.get(name) === value) return;
  model.set(name, value);
  model.save_changes();
}

/** Listens until the returned function is called. `event` is `change:trait` or `msg:custom`. */
export function listen<State extends object>(
  model: Model<State>,
  event: string,
  handler: (...args: never[]) => void,
): () => void {
  model.on(event, handler);
  return () => model.off(event, handler);
}

/** Runs `handler` now and after each change of any of `names`, until the returned function is called. */
export function watch<State extends object>(
  model: Model<State>,
  names: readonly (keyof State & string)[],
  handler: () => void,
): () => void {
  const offs = names.map((name) => listen(model, `change:${name}`, handler));
  handler();
  return () => offs.forEach((off) => off());
}
