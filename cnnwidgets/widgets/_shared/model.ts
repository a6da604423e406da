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
