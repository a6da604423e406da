import "../_shared/base.css";
import "./widget.css";
import { command, openChannel } from "../_shared/channel";
import { button, h } from "../_shared/dom";
import { assign, type BaseState, type Model, type RenderContext, watch } from "../_shared/model";
import { shell } from "../_shared/shell";
import { goTo, isOutOfSight } from "./sight";
import { tooLarge } from "./upload";

export interface State extends BaseState {
  title: string;
  summary: string;
  pictures: string[];
  picture: string;
  progress: number | null;
  progress_text: string;
  notes: string[];
}

const PANELS = [
  ["graph", "Architecture"],
  ["scores", "Scores"],
  ["maps", "Feature maps"],
] as const;

function render({ model, el }: RenderContext<State>): () => void {
  const unshell = shell(el, model, "explorer-bar");
  const title = h("strong", { class: "cnnw-explorer-title" });
  const summary = h("span", { class: "cnnw-explorer-summary" });
  const picture = h("select", { class: "cnnw-menu", "aria-label": "Photograph", title: "Choose a photograph" });
  picture.addEventListener("change", () => assign(model, "picture", picture.value));
  const file = h("input", { type: "file", accept: "image/*", hidden: true, "aria-label": "Image file" });
  const upload = button("Upload", () => file.click(), { title: "Explore an image file of yours" });
  file.addEventListener("change", async () => {
    const [chosen] = file.files ?? [];
    file.value = "";
    if (!chosen) return;
    const refused = tooLarge(chosen.size);
    if (refused) {
      assign(model, "error_details", "");
      assign(model, "error", refused);
      return;
    }
    command(model, "upload", { name: chosen.name }, [await chosen.arrayBuffer()]);
  });
  const bar = h("progress", { class: "cnnw-progress", max: 1, value: 0, "aria-label": "Progress" });
  const text = h("span", { class: "cnnw-progress-text", role: "status" });
  const cancel = button("Cancel", () => command(model, "cancel"), { title: "Stop, and keep what is done" });
  const work = h("span", { class: "cnnw-explorer-work" }, bar, text, cancel);
  const panels = h("span", { class: "cnnw-explorer-panels", role: "group", "aria-label": "Panels" });
  const notes = h("div", { class: "cnnw-explorer-notes" });
  el.append(
    h(
      "div",
      { class: "cnnw-explorer-line" },
      title,
      summary,
      h("span", { class: "cnnw-explorer-gap" }),
      work,
      panels,
      picture,
      upload,
      file,
    ),
    notes,
  );

  const offs = [
    watch(model, ["title", "summary"], () => {
      title.textContent = title.title = model.get("title");
      summary.textContent = model.get("summary");
    }),
    watch(model, ["pictures", "picture"], () => {
      picture.replaceChildren(...model.get("pictures").map((name) => h("option", { value: name }, name)));
      picture.value = model.get("picture");
    }),
    watch(model, ["progress", "progress_text"], () => {
      const share = model.get("progress");
      work.hidden = share === null && !model.get("progress_text");
      bar.hidden = cancel.hidden = share === null;
      bar.value = share ?? 0;
      text.textContent = model.get("progress_text");
    }),
    watch(model, ["notes"], () => {
      notes.replaceChildren(...model.get("notes").map((note) => h("p", { class: "cnnw-explorer-note" }, note)));
    }),
  ];

  // The Explorer's root is an ipywidgets box, which cannot set attributes on itself.
  let root: HTMLElement | null = null;
  const frame = requestAnimationFrame(() => {
    root = el.closest<HTMLElement>(".cnnw-explorer");
    if (!root) return;
    const found = root;
    offs.push(
      watch(model, ["busy"], () => {
        if (model.get("busy")) found.setAttribute("aria-busy", "true");
        else found.removeAttribute("aria-busy");
      }),
    );
    for (const [name, label] of PANELS) {
      const toggle = button(
        `Show ${label.toLowerCase()}`,
        async () => {
          const panel = found.querySelector<HTMLElement>(`.cnnw-area-${name}`);
          if (!panel) return;
          const shown = !found.classList.contains(`cnnw-fold-${name}`);
          if (shown && (await isOutOfSight(panel))) return goTo(panel);
          found.classList.toggle(`cnnw-fold-${name}`, shown);
          toggle.setAttribute("aria-pressed", String(!shown));
          window.dispatchEvent(new Event("resize"));
          if (!shown && (await isOutOfSight(panel))) goTo(panel);
        },
        { title: `Show or hide: ${label.toLowerCase()}. Goes there if it is out of sight`, label },
      );
      toggle.setAttribute("aria-pressed", String(!found.classList.contains(`cnnw-fold-${name}`)));
      panels.append(toggle);
    }
  });
  return () => {
    cancelAnimationFrame(frame);
    offs.forEach((off) => off());
    unshell();
  };
}

export default {
  initialize: ({ model }: { model: Model<State> }) => openChannel(model),
  render,
};
