/** Hide parts of a picture, and see what the scores do. */
import { type Heat, heatOf } from "../_maps/heat";
import { type Photo, photoOf } from "../_maps/photo";
import type { Size } from "../_maps/resample";
import { checkbox, everyFrame, h, panelHeading, setText } from "../_shared/dom";
import { fileName, type Png, SaveButton, titleOf } from "../_shared/png";
import { type Data, entry, type Link, RootView } from "../_shared/view";
import { PatchControls } from "./controls";
import { Editor, type Pattern } from "./editor";
import { centred } from "./geometry";
import { ScoreBars } from "./legend";
import { Newest } from "./requests";
import { type Current, occluderSheet } from "./save";
import { PatchStage } from "./stage";
import { changeText, nowText, type OccluderState, type Patch, rowOf, type Scores, spoken } from "./state";
import { SweepPanel } from "./sweep";
import { patchAt, readingAt, type Swept, scoresAt, sweptOf } from "./swept";
import "./widget.css";

const HINT =
  "Press or drag on the picture. Wheel or + and − change the size, arrows move (Shift: by a patch), Delete removes, N selects the next.";
const HEAT = "Where the network looks while the patches are there";
const PICKING = "Click the place that the patch shall show. Escape: never mind.";
const POINT = "Point at the map, or walk over it with the arrow keys.";
const GRACE = 500;
const PAUSE = 400;

class OccluderView extends RootView<OccluderState> {
  #photo: Photo | null = null;
  #scores: Scores | null = null;
  #heat: Heat | null = null;
  #swept: Swept | null = null;
  #probed: number | null = null;
  #timer = 0;
  /** The patches that Python knows, as JSON. */
  #synced = JSON.stringify(this.link.get("patches"));
  readonly #frame = everyFrame(() => this.#paint());
  readonly #editor = new Editor(
    this.link.get("patches"),
    this.link.get("selected"),
    () => this.#size(),
    () => this.#pattern(),
    () => this.#onEdit(),
  );
  readonly #questions = new Newest((patches: readonly Patch[]) =>
    this.link.command("score", { patches, selected: this.#editor.selected }),
  );
  readonly #stage = new PatchStage(this.#editor, this.#frame.request);
  readonly #controls = new PatchControls(this.link, this.#editor);
  readonly #sweep = new SweepPanel(this.link, this.#editor, (position) => this.#probe(position));
  readonly #bars = new ScoreBars();
  readonly #now = h("p", { class: "oc-now" });
  readonly #unconnected = h("p", { class: "cnnw-soft" });
  readonly #spoken = h("div", { class: "cnnw-spoken", "aria-live": "polite" });
  #speech = 0;
  readonly #withHeat = checkbox("Show Grad-CAM of the edited picture", (on) => this.#setHeat(on), HEAT);
  readonly #notes = h("ul", { class: "oc-notes cnnw-wrap" });
  readonly #save = new SaveButton(() => this.#sheet(), "Save what is seen as a PNG");
  readonly #hint = h("p", { class: "cnnw-small cnnw-soft" }, HINT);
  readonly #caption = h("span", { class: "cnnw-aside cnnw-cut", dir: "auto" });
  readonly #main = h("div", { class: "oc-columns cnnw-stack" });
  readonly #empty = h("div", { class: "cnnw-empty" }, "No image yet");

  constructor(link: Link<OccluderState>, el: HTMLElement) {
    super(link, el);
    this.#unconnected.append("Nothing is connected: observe ", h("code", {}, "patches"), ".");
    this.#hint.id = `oc-hint-${Math.random().toString(36).slice(2)}`;
    this.#stage.element.setAttribute("aria-describedby", this.#hint.id);
    this.#build();
    this.#listenToPushes();
    this.#listenToTraits();
  }

  #build(): void {
    const line = h("div", { class: "cnnw-row" }, this.#withHeat.element, this.#save.element);
    const parts = [this.#controls.element, this.#bars.element, this.#now, this.#unconnected, line, this.#notes];
    const { element, heatBar } = this.#stage;
    const left = h("div", { class: "oc-left cnnw-stack" }, element, heatBar.element, this.#hint);
    this.#main.append(left, h("div", { class: "oc-side cnnw-stack" }, ...parts));
    const heading = panelHeading("Hide a part", this.#caption);
    const panels = [heading, this.#main, this.#sweep.element, this.#spoken, this.#empty];
    this.el.append(h("div", { class: "oc-root" }, ...panels));
  }

  #listenToPushes(): void {
    this.link.receive("picture", (data) => {
      if (data.id === this.#photo?.id) return; // another view asked for it
      this.#photo = photoOf(data);
      this.#editor.reset(this.link.get("patches"), this.link.get("selected"));
      this.#synced = JSON.stringify(this.#editor.patches);
      this.#questions.forget();
      this.#sweep.update(this.#photo, this.#swept);
      this.#frame.request();
    });
    this.link.receive("scores", (data) => this.#onScores(data));
    this.link.receive("heat", (data) => {
      this.#heat = heatOf(data);
      this.#frame.request();
    });
    this.link.receive("sweep", (data) => {
      this.#swept = sweptOf(data);
      if (!this.#swept || (this.#probed !== null && this.#probed >= this.#swept.drop.length)) this.#probed = null;
      this.#sweep.update(this.#photo, this.#swept);
      this.#frame.request();
    });
  }

  #listenToTraits(): void {
    const { link } = this;
    const [frame, questions] = [this.#frame, this.#questions];
    link.watch(["patches", "selected"], () => {
      const patches = JSON.stringify(link.get("patches"));
      if (patches !== this.#synced && !this.#editor.dragging) {
        this.#synced = patches;
        this.#editor.adopt(link.get("patches"));
      }
      frame.request();
    });
    link.watch(["target_name", "with_heat", "connected", "notes", "fill", "color", "size"], frame.request);
    link.listen("change:busy", () => {
      clearTimeout(this.#timer);
      const open = questions.asked;
      if (link.get("busy") || open === null) return;
      // The answer should have come; a question that failed must not keep the next ones waiting.
      this.#timer = setTimeout(() => questions.answered(open), GRACE);
    });
    link.listen("change:error", () => {
      if (link.get("error")) questions.release();
    });
    link.onClose(() => {
      frame.cancel();
      clearTimeout(this.#timer);
      clearTimeout(this.#speech);
    });
  }

  #size(): Size {
    return this.#photo?.size ?? [1, 1];
  }

  #pattern(): Pattern {
    const { link } = this;
    return { side: Math.min(link.get("size"), ...this.#size()), fill: link.get("fill"), color: link.get("color") };
  }

  #onEdit(): void {
    const { link } = this;
    const editor = this.#editor;
    const patches = JSON.stringify(editor.patches);
    if (patches !== this.#synced) {
      this.#synced = patches;
      link.model.set("patches", [...editor.patches]);
      link.model.set("selected", editor.selected);
      // Who answers is asked, and gets the patches with the question.
      if (link.get("connected")) this.#questions.want(editor.patches);
      else link.model.save_changes();
      if (editor.patches.length === 0) this.#heat = null;
    } else if (link.get("selected") !== editor.selected && !editor.dragging) {
      link.set("selected", editor.selected);
    }
    const side = editor.current && Math.max(editor.current.height, editor.current.width);
    if (side && side !== link.get("size") && !editor.dragging) {
      link.model.set("size", side);
      if (!link.get("connected")) link.model.save_changes();
    }
    this.#frame.request();
  }

  #onScores(data: Data): void {
    const { rows, move = 0, ...rest } = data.content as unknown as Scores & { move?: number };
    this.#scores = rows ? { rows, ...rest } : null;
    this.el.dataset["scored"] = String(data.id);
    // Before painting: the network may work meanwhile.
    if (rows) this.#questions.answered(move);
    else this.#questions.forget();
    // Not before: an update that waits in a queue would put Python's patches back to where they were.
    if (this.#questions.asked === null && !this.#editor.dragging) this.link.model.save_changes();
    this.#frame.request();
    // Not every step of a drag.
    clearTimeout(this.#speech);
    this.#speech = setTimeout(() => {
      this.#spoken.textContent = this.#scores && this.#editor.patches.length > 0 ? spoken(this.#scores) : "";
    }, PAUSE);
  }

  #setHeat(on: boolean): void {
    this.link.set("with_heat", on);
    if (on && this.link.get("connected") && this.#editor.patches.length > 0) this.#questions.want(this.#editor.patches);
  }

  #probe(position: number | null): void {
    this.#probed = position;
    this.#frame.request();
  }

  /** The place under the pointer on the map of the sweep, or the patches. */
  #current(): Current {
    const [probed, swept, scores, editor] = [this.#probed, this.#swept, this.#scores, this.#editor];
    if (probed === null || !swept) return { scores, patches: editor.patches, selected: editor.selected };
    return { scores: scoresAt(swept, probed), patches: [patchAt(swept, probed)], selected: 0 };
  }

  #ghost(size: Size): Patch | null {
    const editor = this.#editor;
    const { pointer } = this.#stage;
    if (this.#probed !== null) return null;
    if (editor.picking) return pointer && centred(editor.current ?? editor.fresh(...pointer), ...pointer, size);
    if (editor.patches.length > 0) return null;
    return editor.fresh(...(pointer ?? [size[0] / 2, size[1] / 2]));
  }

  #paint(): void {
    const photo = this.#photo;
    this.#main.hidden = photo === null;
    this.#empty.hidden = photo !== null;
    setText(this.#caption, photo ? this.link.get("target_name") : "");
    if (!photo) return;
    const current = this.#current();
    this.#paintStage(photo, current);
    this.#controls.update(photo.size);
    this.#paintScores(current);
    const notes = this.link.get("notes");
    this.#notes.replaceChildren(...notes.map((note) => h("li", {}, note)));
    this.#notes.hidden = notes.length === 0;
    const [probed, swept] = [this.#probed, this.#swept];
    this.#sweep.reading.textContent = swept ? (probed === null ? POINT : readingAt(swept, probed)) : "";
    this.el.dataset["patches"] = this.#synced;
  }

  #paintStage(photo: Photo, { scores, patches, selected }: Current): void {
    const [editor, stage] = [this.#editor, this.#stage];
    const edits = patches.length > 0;
    const row = scores && edits ? rowOf(scores, scores.target) : null;
    const tip = row && scores ? [changeText(row, scores.unit), nowText(scores)].filter(Boolean) : [];
    const heat = edits && this.#probed === null && this.link.get("with_heat") ? this.#heat : null;
    stage.update({ photo, patches, selected, ghost: this.#ghost(photo.size), heat, tip });
    this.#hint.textContent = editor.picking ? PICKING : HINT;
    const patch = editor.current;
    const number = `patch ${(editor.selected ?? 0) + 1} of ${editor.patches.length}`;
    const subject = patch ? `${number} at row ${patch.top}, column ${patch.left}` : "no patch";
    stage.element.setAttribute("aria-label", `Picture of ${photo.size[0]} by ${photo.size[1]} pixels, ${subject}`);
  }

  #paintScores({ scores }: Current): void {
    const { element, input } = this.#withHeat;
    this.#bars.element.hidden = this.#now.hidden = !scores;
    if (scores) this.#bars.update(scores);
    this.#now.textContent = scores ? nowText(scores) : "";
    this.#unconnected.hidden = scores !== null || this.link.get("connected");
    element.hidden = !this.link.get("connected");
    this.#stage.heatBar.element.hidden = element.hidden && !this.#stage.scale;
    input.checked = this.link.get("with_heat");
    input.disabled = this.#editor.patches.length === 0;
    element.title = input.disabled ? "Add a patch first" : HEAT;
  }

  #sheet(): Png | null {
    this.#frame.cancel();
    this.#paint();
    if (!this.#photo) return null;
    const subject = this.#swept ? "Occlusion sweep" : "Hidden";
    const title = titleOf(this.link.model, subject, this.link.get("target_name"));
    const layer = this.#heat?.layer ? ` of ${this.#heat.layer}` : "";
    const canvas = occluderSheet(this.link, title, this.#current(), this.#stage, this.#sweep, this.#swept, layer);
    return { canvas, name: fileName("hidden", ...title.slice(1)) };
  }
}

export default entry<OccluderState>("occluder", OccluderView);
