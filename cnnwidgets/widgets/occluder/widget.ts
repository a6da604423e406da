/** Hide parts of a picture, and see what the scores do. */
import "../_shared/base.css";
import "../heatmap_overlay/controls.css";
import "./widget.css";
import { command, openChannel, subscribe } from "../_shared/channel";
import { everyFrame, h } from "../_shared/dom";
import { extentOf } from "../_shared/extent";
import { assign, listen, type Model, type RenderContext, watch } from "../_shared/model";
import { type Png, saveButton } from "../_shared/png";
import { shell } from "../_shared/shell";
import { fileName, titleOf } from "../_shared/title";
import { bars } from "./bars";
import { controls } from "./controls";
import { Editor } from "./editor";
import type { Photo } from "./fills";
import { centred, hit } from "./geometry";
import { Newest } from "./requests";
import { draw } from "./save";
import { type Heat, stage } from "./stage";
import { FILLS, type Patch, type Scores, type State } from "./state";
import { sweep } from "./sweep";
import { countsOf, limitOf, madeOf, patchAt, readingAt, type Swept, scoresAt, sweptOf } from "./swept";
import { changeText, nowText, rowOf, signedText, spoken } from "./words";

const HINT =
  "Press or drag on the picture. Wheel or + and − change the size, arrows move (Shift: by a patch), Delete removes, N selects the next.";
const PICKING = "Click the place that the patch shall show. Escape: never mind.";
const GRACE = 500;

function initialize({ model }: { model: Model<State> }): void {
  openChannel(model);
}

function render({ model, el }: RenderContext<State>): () => void {
  const closeShell = shell(el, model, "occluder");
  let photo: Photo | null = null;
  let scores: Scores | null = null;
  let heat: Heat | null = null;
  let swept: Swept | null = null;
  let probed: number | null = null;
  let pointer: readonly [number, number] | null = null;
  let timer = 0;
  let speaking = 0;

  const size = () => photo?.size ?? ([1, 1] as const);
  const pattern = () => ({
    side: Math.min(model.get("size"), ...size()),
    fill: model.get("fill"),
    color: model.get("color"),
  });
  const editor = new Editor(model.get("patches"), model.get("selected"), size, pattern, edited);
  const asked = new Newest<readonly Patch[]>((patches) =>
    command(model, "score", { patches, selected: editor.selected }),
  );
  let told = JSON.stringify(editor.patches);

  function edited(): void {
    const text = JSON.stringify(editor.patches);
    if (text !== told) {
      told = text;
      model.set("patches", [...editor.patches]);
      model.set("selected", editor.selected);
      // Who answers is asked, and gets the patches with the question.
      if (model.get("connected")) asked.want(editor.patches);
      else model.save_changes();
      if (editor.patches.length === 0) heat = null;
    } else if (model.get("selected") !== editor.selected && !editor.dragging) {
      assign(model, "selected", editor.selected);
    }
    const side = editor.current && Math.max(editor.current.height, editor.current.width);
    if (side && side !== model.get("size") && !editor.dragging) {
      model.set("size", side);
      if (!model.get("connected")) model.save_changes();
    }
    frame.request();
  }

  const canvas = stage({
    press: (row, column) => {
      pointer = null;
      editor.press(row, column);
    },
    drag: (row, column) => editor.drag(row, column),
    release: () => editor.release(),
    hover: (place) => {
      pointer = place;
      frame.request();
    },
    wheel: (steps, row, column) => {
      const over = hit(editor.patches, row, column) !== null || document.activeElement === canvas.element;
      if (!editor.current || !over) return false;
      editor.grow(steps);
      return true;
    },
    key: (event) => {
      const control = event.ctrlKey || event.metaKey;
      if (event.altKey || !editor.key(event.key, { shift: event.shiftKey, control })) return;
      event.preventDefault();
      event.stopPropagation();
    },
  });
  const panel = controls({
    fill: (fill) => {
      editor.fill(fill, model.get("color"));
      if (!editor.picking) assign(model, "fill", fill);
    },
    color: (color) => {
      assign(model, "color", color);
      editor.fill("color", color);
    },
    size: (side) => {
      if (editor.current) editor.resize(side);
      else assign(model, "size", Math.min(side, ...size()));
    },
    pick: () => editor.pick(),
    add: () => editor.add(),
    remove: () => editor.remove(),
    undo: () => void editor.undo(),
    redo: () => void editor.redo(),
    clear: () => editor.clear(),
  });
  const rows = bars();
  const now = h("p", { class: "oc-now" });
  const unconnected = h(
    "p",
    { class: "oc-soft oc-unconnected" },
    "Nothing is connected: observe ",
    h("code", {}, "patches"),
    ".",
  );
  const live = h("div", { class: "oc-spoken", "aria-live": "polite" });
  const withHeat = h("input", { type: "checkbox" });
  withHeat.addEventListener("change", () => {
    assign(model, "with_heat", withHeat.checked);
    if (withHeat.checked && model.get("connected") && editor.patches.length > 0) asked.want(editor.patches);
  });
  const heatLabel = h("label", { class: "oc-check" }, withHeat, "Show Grad-CAM of the edited picture");
  const notes = h("ul", { class: "oc-notes" });
  const save = saveButton(sheet, "Save what is seen as a PNG");
  save.element.classList.add("oc-save");
  const hint = h("p", { class: "oc-soft oc-hint", id: `oc-hint-${Math.random().toString(36).slice(2)}` }, HINT);
  canvas.element.setAttribute("aria-describedby", hint.id);
  const under = sweep(model, {
    ask: ({ size: side, stride }) => {
      editor.stopPicking();
      command(model, "sweep", { size: side, stride, fill: model.get("fill"), color: model.get("color") });
    },
    cancel: () => command(model, "cancel"),
    probe: (place) => {
      probed = place;
      frame.request();
    },
  });
  const caption = h("span", { class: "cnnw-aside", dir: "auto" });
  const heading = h("h3", { class: "cnnw-heading" }, h("span", {}, "Hide a part"), caption);
  const beside = h(
    "div",
    { class: "oc-side" },
    panel.element,
    rows.element,
    now,
    unconnected,
    h("div", { class: "oc-row" }, heatLabel, save.element),
    notes,
  );
  const main = h("div", { class: "oc-main" }, h("div", { class: "oc-left" }, canvas.element, hint), beside);
  const empty = h("div", { class: "cnnw-empty" }, "No image yet");
  el.append(h("div", { class: "oc-root" }, heading, main, under.element, live, empty));

  /** What the bars show: the place under the pointer on the map of the sweep, or the patches. */
  function current(): { scores: Scores | null; patches: readonly Patch[]; selected: number | null } {
    if (probed === null || !swept) return { scores, patches: editor.patches, selected: editor.selected };
    return { scores: scoresAt(swept, probed), patches: [patchAt(swept, probed)], selected: 0 };
  }

  function ghost(): Patch | null {
    if (!photo || probed !== null) return null;
    const [height, width] = photo.size;
    if (editor.picking) return pointer && centred(editor.current ?? editor.fresh(...pointer), ...pointer, photo.size);
    if (editor.patches.length > 0) return null;
    return editor.fresh(...(pointer ?? [height / 2, width / 2]));
  }

  function paint(): void {
    const has = photo !== null;
    main.hidden = !has;
    empty.hidden = has;
    caption.textContent = caption.title = has ? model.get("target_name") : "";
    if (!photo) return;
    const { scores: shown, patches, selected } = current();
    const edits = patches.length > 0;
    const row = shown && edits ? rowOf(shown, shown.target) : null;
    const tip = row && shown ? [changeText(row, shown.unit), nowText(shown)].filter(Boolean) : [];
    const seen = heat && edits && probed === null && model.get("with_heat") ? heat : null;
    canvas.update({ photo, patches, selected, ghost: ghost(), heat: seen, tip });
    const patch = editor.current ?? editor.fresh(photo.size[0] / 2, photo.size[1] / 2);
    const wanted =
      editor.current || editor.picking ? patch : { ...patch, fill: model.get("fill"), color: model.get("color") };
    panel.update({
      patch: wanted,
      count: editor.patches.length,
      canRemove: editor.selected !== null,
      canUndo: editor.history.past.length > 0,
      canRedo: editor.history.future.length > 0,
      picking: editor.picking,
      most: Math.min(...photo.size),
    });
    canvas.element.classList.toggle("is-picking", editor.picking);
    canvas.element.classList.toggle("is-held", editor.dragging);
    hint.textContent = editor.picking ? PICKING : HINT;
    const what = editor.current
      ? `patch ${editor.selected! + 1} of ${editor.patches.length} at row ${editor.current.top}, column ${editor.current.left}`
      : "no patch";
    canvas.element.setAttribute("aria-label", `Picture of ${photo.size[0]} by ${photo.size[1]} pixels, ${what}`);
    rows.element.hidden = now.hidden = !shown;
    if (shown) rows.update(shown);
    now.textContent = shown ? nowText(shown) : "";
    unconnected.hidden = shown !== null || model.get("connected");
    heatLabel.hidden = !model.get("connected");
    withHeat.checked = model.get("with_heat");
    withHeat.disabled = editor.patches.length === 0;
    heatLabel.title = withHeat.disabled ? "Add a patch first" : "";
    notes.replaceChildren(...model.get("notes").map((note) => h("li", {}, note)));
    notes.hidden = model.get("notes").length === 0;
    under.read(
      probed !== null && swept
        ? readingAt(swept, probed)
        : swept
          ? "Point at the map, or walk over it with the arrow keys."
          : "",
    );
    el.dataset["patches"] = told;
  }

  function say(): void {
    clearTimeout(speaking);
    // Not every step of a drag.
    speaking = window.setTimeout(
      () => (live.textContent = scores && editor.patches.length > 0 ? spoken(scores) : ""),
      400,
    );
  }

  function sheet(): Png | null {
    frame.cancel();
    paint();
    if (!photo) return null;
    const { scores: shown, patches } = current();
    const view = model.get("view");
    const limit = swept ? limitOf(swept.drop) : 0;
    const words = [
      shown && patches.length > 0 ? spoken(shown) : "",
      ...model.get("notes"),
      swept ? model.get("sweep_text") : "",
    ];
    if (!canvas.heat.hidden) words.push("Over the picture: its Grad-CAM with the patches on it.");
    if (swept)
      words.push(
        `Sweep: ${madeOf(swept)}, ${swept.rows} × ${swept.columns} places: ${view === "drop" ? `drop of ${swept.target}` : "predicted class"}.`,
      );
    const colours = under.colours();
    const counts = swept && view !== "drop" ? countsOf(swept).slice(0, 9) : [];
    const target = model.get("target_name");
    const what = swept ? "Occlusion sweep" : "Hidden";
    const title = titleOf(model, what, target);
    const fillOf = ({ fill, color = "" }: Patch) =>
      fill === "color" ? color : FILLS.find(([own]) => own === fill)?.[1].toLowerCase();
    const made = patches.map((patch) => `${patch.height} × ${patch.width} px (height × width), ${fillOf(patch)} fill`);
    if (made.length) words.push(`${made.length === 1 ? "Patch" : "Patches"}: ${[...new Set(made)].join("; ")}.`);
    const canvasOfAll = draw({
      title: title.join(" · "),
      edited: canvas.heat.hidden ? [canvas.canvas] : [canvas.canvas, canvas.heat],
      map: swept ? [under.figure.photoCanvas, under.figure.canvas] : [],
      boxes: patches,
      words: words.filter(Boolean),
      ends:
        swept && view === "drop" && limit > 0
          ? [signedText(-limit, swept.unit), "0", signedText(limit, swept.unit)]
          : null,
      legend: counts.map(({ index, name, places }) => ({
        colour: colours.get(index) ?? "#555",
        text: `${name}: ${places}`,
      })),
    });
    return { canvas: canvasOfAll, name: fileName("hidden", ...title.slice(1)) };
  }

  const frame = everyFrame(paint);
  const offs = [
    subscribe(model, "picture", (data) => {
      if (data.id === photo?.id) return; // another view asked for it
      const pixels = data.arrays["pixels"];
      const [height = 0, width = 0] = pixels?.shape ?? [];
      photo = pixels ? { id: data.id, size: [height, width], pixels: pixels.data as Uint8Array } : null;
      editor.reset(model.get("patches"), model.get("selected"));
      told = JSON.stringify(editor.patches);
      asked.forget();
      under.update(photo, swept);
      frame.request();
    }),
    subscribe(model, "scores", (data) => {
      const given = data.content as unknown as Scores & { move?: number };
      scores = given.rows ? given : null;
      el.dataset["scored"] = String(data.id);
      // Before painting: the network may work meanwhile.
      if (given.rows) asked.answered(given.move ?? 0);
      else asked.forget();
      // Not before: an update that waits in a queue would put Python's patches back to where they were.
      if (asked.asked === null && !editor.dragging) model.save_changes();
      frame.request();
      say();
    }),
    subscribe(model, "heat", (data) => {
      const values = data.arrays["values"];
      const [rowCount = 0, columnCount = 0] = values?.shape ?? [];
      const size = [rowCount, columnCount] as const;
      heat = values ? { id: data.id, size, values: values.data as Float32Array, extent: extentOf(data.content) } : null;
      frame.request();
    }),
    subscribe(model, "sweep", (data) => {
      swept = sweptOf(data);
      if (!swept || (probed !== null && probed >= swept.drop.length)) probed = null;
      under.update(photo, swept);
      frame.request();
    }),
    watch(model, ["patches", "selected"], () => {
      const given = JSON.stringify(model.get("patches"));
      if (given !== told && !editor.dragging) {
        told = given;
        editor.adopt(model.get("patches"));
      }
      frame.request();
    }),
    watch(model, ["target_name", "with_heat", "connected", "notes", "fill", "color", "size"], frame.request),
    listen(model, "change:busy", () => {
      clearTimeout(timer);
      const open = asked.asked;
      if (model.get("busy") || open === null) return;
      // The answer should have come; a question that failed must not keep the next ones waiting.
      timer = window.setTimeout(() => asked.answered(open), GRACE);
    }),
    listen(model, "change:error", () => model.get("error") && asked.release()),
  ];
  return () => {
    frame.cancel();
    clearTimeout(timer);
    clearTimeout(speaking);
    offs.forEach((off) => off());
    under.stop();
    closeShell();
  };
}

export default { initialize, render };
