/** Moving from output cell to output cell: by buttons, slider, keys, or by itself. */
import { button, claim, h, menu } from "../_shared/dom";
import { Slider } from "../_shared/slider";
import { type Link, View } from "../_shared/view";
import type { StepperState } from "./state";
import { PAUSES, SPEEDS } from "./words";

const STILL = "(prefers-reduced-motion: reduce)";

export class Player extends View<StepperState> {
  readonly #play = button("Play", () => this.toggle(), { label: "▶ Play" });
  readonly #slider = new Slider("Step", 0, (value) => this.go(value));
  readonly element: HTMLElement;
  #timer = 0;
  #rows = 1;
  #columns = 1;

  /** `onplay` is told when it begins, and ends, to move by itself. */
  constructor(
    link: Link<StepperState>,
    private readonly onplay: (playing: boolean) => void,
  ) {
    super(link);
    const back = button("Back", () => this.move(-1), { label: "◀", title: "One output cell back (arrow left)" });
    const next = button("Next", () => this.move(1), { label: "▶", title: "One output cell on (arrow right)" });
    const first = button("First", () => this.go(0), { label: "|◀", title: "To the first output cell (Home)" });
    const last = button("Last", () => this.go(this.#last), { label: "▶|", title: "To the last output cell (End)" });
    const title = "How fast Play moves: 1, 4 or 16 steps a second";
    const speed = menu("Speed", SPEEDS, link.get("speed"), (value) => link.set("speed", value as "slow"), title);
    this.#slider.element.title = "Drag to any output cell";
    this.#slider.element.classList.add("st-slider");
    this.element = h("div", { class: "cnnw-row st-player" }, first, back, this.#play, next, last);
    this.element.append(this.#slider.element, speed);
    this.#name();
    link.watch(["speed"], () => {
      speed.value = link.get("speed");
      if (this.playing) this.#start();
    });
    link.onClose(() => this.stop());
  }

  get playing(): boolean {
    return this.#timer !== 0;
  }

  get #last(): number {
    return this.#rows * this.#columns - 1;
  }

  update([rows, columns]: readonly [number, number], position: number): void {
    this.#rows = rows;
    this.#columns = columns;
    this.#slider.update(position, this.#last, `${position + 1} of ${this.#last + 1}`);
  }

  go(position: number): void {
    this.stop();
    this.#set(position);
  }

  move(steps: number): void {
    this.go(this.#at + steps);
  }

  toggle(): void {
    if (this.playing) this.stop();
    else if (matchMedia(STILL).matches) this.#set(this.#last);
    else {
      if (this.#at === this.#last) this.#set(0);
      this.#start();
    }
  }

  stop(): void {
    if (!this.playing) return;
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#name();
    this.onplay(false);
  }

  /** The keys of the stage. */
  key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const columns = this.#columns;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (steps !== undefined) {
      const next = this.#at + steps;
      // Up and down stay in their column.
      if (Math.abs(steps) === 1 || (next >= 0 && next <= this.#last)) this.go(next);
    } else if (event.key === "Home") this.go(0);
    else if (event.key === "End") this.go(this.#last);
    else if (event.key === " ") this.toggle();
    else return;
    claim(event);
  }

  get #at(): number {
    return Math.min(this.link.get("position"), this.#last);
  }

  #set(position: number): void {
    this.link.set("position", Math.min(this.#last, Math.max(0, position)));
  }

  #start(): void {
    clearInterval(this.#timer);
    this.#timer = window.setInterval(() => {
      if (this.#at >= this.#last) this.stop();
      else this.#set(this.#at + 1);
    }, PAUSES[this.link.get("speed")]);
    this.#name();
    this.onplay(true);
  }

  #name(): void {
    const name = this.playing ? "Pause" : "Play";
    this.#play.ariaLabel = name;
    this.#play.textContent = this.playing ? "Pause" : "▶ Play";
    const still = matchMedia(STILL).matches;
    const moving = still ? "Fill in the whole output at once: your system asks for less motion" : "";
    this.#play.title = moving || `${name}: the window moves over the input by itself (space)`;
  }
}
