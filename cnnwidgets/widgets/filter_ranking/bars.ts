/** Bars of how much the score falls without each filter, with a switch at each. */
import { button, h, tell } from "../_shared/dom";
import { number } from "../_shared/format";
import { type Link, View } from "../_shared/view";
import { type FilterRankingState, type Ranking, rankingOf } from "./content";

const FEW = 10;

export class Bars extends View<FilterRankingState> {
  readonly #rows = h("ul", { class: "fr-bars cnnw-small cnnw-figures", "aria-label": "Filters by what they matter" });
  readonly #more = button("More filters", () => this.#showMore());
  readonly #unit = h("p", { class: "cnnw-small cnnw-soft" });
  readonly #effect = h("p", { class: "fr-effect", "aria-live": "polite" });
  readonly #notes = h("div", { class: "cnnw-stack" });
  readonly element = h("div", { class: "cnnw-stack" }, this.#unit, this.#rows, this.#more, this.#effect, this.#notes);
  ranking: Ranking | null = null;
  #count = FEW;

  constructor(link: Link<FilterRankingState>) {
    super(link);
    link.receive("ranking", (data) => {
      const before = this.ranking;
      this.ranking = rankingOf(data);
      if (!before || !this.ranking) this.#count = FEW;
      this.#paint();
    });
    link.watch(["off", "channel", "switchable"], () => this.#paint());
    link.watch(["effect"], () => {
      tell(this.#effect, link.get("effect"));
    });
  }

  #showMore(): void {
    this.#count *= 3;
    this.#paint();
  }

  #paint(): void {
    const { ranking } = this;
    this.element.hidden = ranking === null;
    if (!ranking) {
      this.#rows.replaceChildren();
      return;
    }
    const { order, unit, score, notes, partial } = ranking;
    const off = new Set(this.link.get("off"));
    const first = order.slice(0, this.#count);
    // What is switched off stays in sight: it may be wanted back.
    const rest = [...off].filter((channel) => !first.includes(channel) && channel < ranking.drops.length);
    const focused = (document.activeElement as HTMLElement | null)?.dataset["switch"];
    this.#rows.replaceChildren(...[...first, ...rest].map((channel) => this.#row(ranking, channel, off.has(channel))));
    if (focused) this.#rows.querySelector<HTMLElement>(`[data-switch="${focused}"]`)?.focus();
    const of = score === null ? "" : ` of ${number(score)}`;
    const all = `${order.length} of ${ranking.drops.length} filters looked at`;
    this.#unit.textContent = `Fall of the ${unit}${of} without the filter${partial ? `; ${all}` : ""}`;
    this.#more.hidden = order.length <= this.#count;
    this.#notes.replaceChildren(...notes.map((note) => h("p", { class: "cnnw-warning" }, note)));
  }

  #row({ drops, longest }: Ranking, channel: number, isOff: boolean): HTMLElement {
    const drop = drops[channel] ?? Number.NaN;
    const choose = () => this.link.command("choose", { channel });
    const name = h("button", { type: "button", class: "cnnw-plain fr-name", onclick: choose }, String(channel));
    name.title = `Look at filter ${channel}`;
    name.toggleAttribute("aria-current", channel === this.link.get("channel"));
    const bar = h("i", { class: drop < 0 ? "fr-negative" : undefined });
    bar.style.width = `${longest > 0 && Number.isFinite(drop) ? (100 * Math.abs(drop)) / longest : 0}%`;
    const track = h("span", { class: "fr-track", "aria-hidden": "true" }, bar);
    const row = h("li", { class: isOff ? "fr-off" : undefined, "data-channel": channel }, name, track, number(drop));
    if (this.link.get("switchable")) row.prepend(this.#switch(channel, isOff));
    return row;
  }

  #switch(channel: number, isOff: boolean): HTMLElement {
    const box = h("input", { type: "checkbox", role: "switch", "data-switch": channel, checked: !isOff });
    box.ariaLabel = `Filter ${channel} is on`;
    box.title = isOff ? "Let the network have this filter again" : "See what the network says without this filter";
    box.addEventListener("change", () => this.link.command("switch", { channel, off: !box.checked }));
    return box;
  }
}
