/** What a widget's view takes for its Python half, in a page without one. */

export type Traits = Record<string, unknown>;

/** A push as it was recorded: its content, and where its arrays are kept. */
export interface Push {
  kind: string;
  arrays: { name: string; dtype: string; shape: number[]; parts: number[] }[];
  [content: string]: unknown;
}

export interface Shot {
  state: Traits;
  pushes: Record<string, number>;
}

export interface Shots {
  base: Traits;
  shots: Record<string, Shot>;
}

type Handler = (...args: unknown[]) => void;

export interface Library {
  pushes: Push[];
  whole: (parts: readonly number[]) => ArrayBuffer;
}

let ids = 0;

export class PageModel {
  /** The reader changed a trait, or pressed something. */
  onChange: (trait: string, value: unknown, before: unknown) => void = () => undefined;
  onCommand: (op: string, content: Traits) => void = () => undefined;
  /** The key of what is on show. */
  shown = "";
  readonly #traits: Traits;
  readonly #handlers = new Map<string, Set<Handler>>();
  /** Kind -> number of the push on show, and the message that was made of it. */
  readonly #pushes = new Map<string, { index: number; message: Traits; buffers: DataView[] }>();
  #shot: Shot = { state: {}, pushes: {} };
  #applying = false;

  constructor(
    private readonly recorded: Shots,
    private readonly library: Library,
  ) {
    this.#traits = { ...recorded.base };
  }

  get(name: string): unknown {
    return this.#traits[name];
  }

  set(name: string, value: unknown): void {
    const before = this.#traits[name];
    if (before === value) return;
    this.#traits[name] = value;
    this.#emit(`change:${name}`);
    if (!this.#applying) this.onChange(name, value, before);
  }

  /** Sets without telling the page. */
  put(name: string, value: unknown): void {
    this.#quietly(() => this.set(name, value));
  }

  save_changes(): void {
    // Nobody is there to save them for.
  }

  on(event: string, handler: Handler): void {
    const handlers = this.#handlers.get(event) ?? new Set();
    this.#handlers.set(event, handlers.add(handler));
  }

  off(event?: string | null, handler?: Handler | null): void {
    if (!event) this.#handlers.clear();
    else if (handler) this.#handlers.get(event)?.delete(handler);
    else this.#handlers.delete(event);
  }

  send(content: Traits): void {
    const { op, kind } = content;
    if (op !== "pull") {
      this.onCommand(String(op), content);
      return;
    }
    const push = this.#pushes.get(String(kind));
    if (push) this.#emit("msg:custom", push.message, push.buffers);
  }

  /** The length of the first axis of the first array in the newest push of `kind`. */
  countOf(kind: string): number {
    const index = this.#pushes.get(kind)?.index;
    return index === undefined ? 0 : (this.library.pushes[index]!.arrays[0]?.shape[0] ?? 0);
  }

  has(key: string): boolean {
    return this.recorded.shots[key] !== undefined;
  }

  /** Takes the newest push of `kind` from the view, until something is shown that has one. */
  clear(kind: string): void {
    ids += 1;
    if (this.#pushes.delete(kind)) this.#emit("msg:custom", { op: "data", kind, id: ids, arrays: [] }, []);
  }

  /** Shows what was recorded under `key`. What the reader set stays, where the recording did not change it. */
  show(key: string): void {
    const shot = this.recorded.shots[key];
    // What stays on show would be of another choice.
    if (!shot) throw new Error(`nothing was recorded for ${key}`);
    if (shot === this.#shot && Object.keys(shot.pushes).every((kind) => this.#pushes.has(kind))) return;
    const before = this.#shot;
    this.#shot = shot;
    this.shown = key;
    const { base } = this.recorded;
    const valueIn = ({ state }: Shot, name: string) => (Object.hasOwn(state, name) ? state[name] : base[name]);
    this.#quietly(() => {
      for (const name of new Set([...Object.keys(before.state), ...Object.keys(shot.state)])) {
        const value = valueIn(shot, name);
        if (JSON.stringify(value) !== JSON.stringify(valueIn(before, name))) this.set(name, value);
      }
    });
    const renewed = before.pushes["maps"] !== shot.pushes["maps"];
    for (const [kind, index] of Object.entries(shot.pushes)) {
      if (this.#pushes.get(kind)?.index !== index || (renewed && kind === "contribution")) this.#push(kind, index);
    }
  }

  #push(kind: string, index: number): void {
    const { arrays, ...content } = this.library.pushes[index]!;
    ids += 1;
    const maps = this.#pushes.get("maps")?.message["id"];
    const message = { ...content, id: ids, arrays, ...(kind === "contribution" ? { maps_id: maps } : {}) };
    const buffers = arrays.map(({ parts }) => new DataView(this.library.whole(parts)));
    this.#pushes.set(kind, { index, message, buffers });
    this.#emit("msg:custom", message, buffers);
  }

  #emit(event: string, ...args: unknown[]): void {
    for (const handler of [...(this.#handlers.get(event) ?? [])]) handler(...args);
  }

  #quietly(act: () => void): void {
    const before = this.#applying;
    this.#applying = true;
    try {
      act();
    } finally {
      this.#applying = before;
    }
  }
}
