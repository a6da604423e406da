/** At most one question open; while it waits, the newest wish replaces the ones before. */
export class Newest<T> {
  #open: number | null = null;
  #waiting: T | null = null;

  /** `send` asks, and returns the id by which the answer is known. */
  constructor(private readonly send: (value: T) => number) {}

  get asked(): number | null {
    return this.#open;
  }

  want(value: T): void {
    if (this.#open === null) this.#open = this.send(value);
    else this.#waiting = value;
  }

  /** The answer to question `id` has come; one to an older question changes nothing. */
  answered(id: number): void {
    if (id === this.#open) this.release();
  }

  /** The answer will not come. */
  release(): void {
    this.#open = null;
    const next = this.#waiting;
    this.#waiting = null;
    if (next !== null) this.#open = this.send(next);
  }

  forget(): void {
    this.#open = this.#waiting = null;
  }
}
