/** Which filters of a layer matter for a class, and groups of them over the photograph. */
import { button, h, menu, tell } from "../_shared/dom";
import { fileName, type Png, SaveButton, titleOf } from "../_shared/png";
import { Progress } from "../_shared/progress";
import { entry, type Link, RootView } from "../_shared/view";
import { Bars } from "./bars";
import type { FilterRankingState } from "./content";
import { GroupList } from "./groups";
import { rankingSheet } from "./save";
import "./widget.css";

const COUNTS = [3, 4, 5, 6, 8, 10].map((count) => [String(count), `${count} groups`] as const);
const FIND = "Filters that are active in the same places of this photograph";
const GROUPS = "Into how many groups the filters of this layer are put";
type Job = "ranking" | "groups";

class FilterRankingView extends RootView<FilterRankingState> {
  readonly #title = h("span", { class: "cnnw-cut" });
  readonly #bars = new Bars(this.link);
  readonly #groups = new GroupList(this.link);
  readonly #count = menu("Number of groups", COUNTS, "6", (count) => this.link.set("groups", Number(count)), GROUPS);
  readonly #save = new SaveButton(() => this.#sheet(), "Save the ranking and the groups as a PNG");
  readonly #starts = {
    ranking: button("Rank the filters", () => this.link.command("start", { job: "ranking" }), {
      title: "Run the network without each filter of this layer, from the layer on",
    }),
    groups: button("Find groups", () => this.link.command("start", { job: "groups" }), { title: FIND }),
  };
  readonly #works = {
    ranking: new Progress(this.link, "Progress of the ranking"),
    groups: new Progress(this.link, "Progress of the groups"),
  };
  readonly #stopped = { ranking: h("p", { class: "cnnw-soft" }), groups: h("p", { class: "cnnw-soft" }) };
  readonly #hint = h("p", { class: "cnnw-empty", role: "status" });
  readonly #grouping = h("div", { class: "cnnw-stack" });
  readonly #body = h("div", { class: "cnnw-stack" });
  readonly #all = h("section");

  constructor(link: Link<FilterRankingState>, el: HTMLElement) {
    super(link, el);
    const heading = h(
      "div",
      { class: "cnnw-heading" },
      this.#title,
      h("span", { class: "cnnw-aside" }, this.#save.element),
    );
    const [ranking, groups] = [this.#work("ranking"), this.#work("groups")];
    groups.firstElementChild?.after(this.#count);
    this.#grouping.append(
      h("div", { class: "cnnw-heading fr-second", title: FIND }, "Groups"),
      groups,
      this.#groups.element,
    );
    this.#body.append(ranking, this.#bars.element, this.#grouping);
    el.append(this.#all);
    this.#all.append(heading, this.#hint, this.#body);
    for (const kind of ["ranking", "groups", "stopped"] as const) {
      link.receive(kind, ({ content }) => {
        if (kind === "stopped") {
          for (const [job, line] of Object.entries(this.#stopped)) {
            line.textContent = content["job"] === job ? String(content["message"] ?? "") : "";
          }
        }
        this.#paint();
      });
    }
    link.watch(["layer", "target_name", "hint", "job", "groups", "groupable"], () => this.#paint());
  }

  #work(job: Job): HTMLElement {
    return h("div", { class: "cnnw-row" }, this.#starts[job], this.#works[job].element, this.#stopped[job]);
  }

  #paint(): void {
    const { link } = this;
    const [hint, running] = [link.get("hint"), link.get("job")];
    tell(this.#hint, hint);
    this.#body.hidden = hint !== "";
    const target = link.get("target_name");
    // Of no layer there is nothing to rank, nor to say.
    const anything = hint !== "" || this.#bars.ranking !== null || this.#groups.groups !== null;
    this.#all.hidden = link.get("layer") === "" && !anything;
    this.#title.replaceChildren(
      "Which filters of ",
      h("bdi", {}, link.get("layer")),
      " matter for ",
      h("bdi", {}, target || "the score"),
    );
    this.#title.title = this.#title.textContent ?? "";
    for (const job of ["ranking", "groups"] as const) {
      this.#works[job].show(running === job);
      this.#starts[job].hidden = running === job || (job === "ranking" && this.#bars.ranking?.partial === false);
      this.#stopped[job].hidden = running === job;
    }
    this.#grouping.hidden = !link.get("groupable") && this.#groups.groups === null;
    this.#count.hidden = running === "groups";
    this.#count.value = String(link.get("groups"));
    this.#save.allow(this.#bars.ranking !== null || this.#groups.groups !== null);
  }

  #sheet(): Png {
    const { link } = this;
    const subject = `Filters of ${link.get("layer")} → ${link.get("target_name")}`;
    const title = titleOf(link.model, subject);
    const { ranking } = this.#bars;
    const { groups, places, canvas: photo } = this.#groups;
    const canvas = rankingSheet(title, ranking, groups, photo, places, link.get("off"));
    return { canvas, name: fileName(...title) };
  }
}

export default entry<FilterRankingState>("filter-ranking", FilterRankingView);
