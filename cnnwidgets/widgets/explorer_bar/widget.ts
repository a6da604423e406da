/** The line over the panels: the network, the photograph, what is being computed, and which panels are shown. */
import { button, claim, h, menu, setText } from "../_shared/dom";
import { Progress, type ProgressState } from "../_shared/progress";
import { LIMIT, shrunk, tooLarge } from "../_shared/upload";
import { entry, type Link, RootView } from "../_shared/view";
import { copy } from "./copy";
import "../_shared/frame.css";
import "./stable.css";
import "./widget.css";

/** Less of a panel than this, in pixels from top to bottom, is taken for nothing. */
const LEAST = 60;

/** Asks the browser, which knows what clips what; answers within a frame. */
function isOutOfSight(panel: HTMLElement): Promise<boolean> {
  return new Promise((resolve) => {
    const observer = new IntersectionObserver((entries) => {
      observer.disconnect();
      const { boundingClientRect: whole, intersectionRect: visible } = entries.at(-1)!;
      resolve(whole.height > 0 && visible.height < Math.min(LEAST, whole.height));
    });
    observer.observe(panel);
  });
}

/** Scrolls to `panel` and puts the focus there, for the keyboard and so that it is seen which one it is. */
function goTo(panel: HTMLElement): void {
  panel.scrollIntoView({ block: panel.offsetHeight < innerHeight ? "nearest" : "start" });
  if (!panel.hasAttribute("tabindex")) {
    panel.tabIndex = -1;
    // Else a click in the panel would put the focus on all of it.
    panel.addEventListener("blur", () => panel.removeAttribute("tabindex"), { once: true });
  }
  panel.setAttribute("data-lm-suppress-shortcuts", "true");
  panel.focus({ preventScroll: true });
}

export interface ExplorerBarState extends ProgressState {
  title: string;
  summary: string;
  pictures: string[];
  picture: string;
  notes: string[];
}

const SIZES =
  "Parameters: the numbers learned in training. MACs: multiplications and additions for one image (M: million, G: billion)";
const PANELS = [
  ["graph", "Architecture"],
  ["scores", "Scores"],
  ["maps", "Feature maps"],
] as const;

class ExplorerBarView extends RootView<ExplorerBarState> {
  readonly #title = h("strong", { class: "cnnw-explorer-title cnnw-cut" });
  readonly #summary = h("span", { class: "cnnw-soft cnnw-figures cnnw-cut" });
  readonly #picture = menu("Photograph", [], "", (picture) => this.link.set("picture", picture), "Choose a photograph");
  readonly #file = h("input", { type: "file", accept: "image/*", hidden: true, "aria-label": "Image file" });
  readonly #progress = new Progress(this.link, "Progress");
  readonly #panels = h("span", { class: "cnnw-explorer-panels", role: "group", "aria-label": "Panels" });
  readonly #notes = h("div");

  constructor(link: Link<ExplorerBarState>, el: HTMLElement) {
    super(link, el);
    this.#summary.title = SIZES;
    this.#progress.text.classList.add("cnnw-soft", "cnnw-cut");
    this.#progress.text.setAttribute("role", "status");
    const upload = button("Upload", () => this.#file.click(), { title: "Explore an image file of yours" });
    this.#file.addEventListener("change", () => {
      this.#upload(this.#file.files?.[0]);
      this.#file.value = "";
    });
    const edit = button("Edit image", () => link.command("edit"), {
      label: "Edit",
      title: "Crop, turn, draw on or change the photograph, paste one, or take one with the camera; again: close that",
    });
    edit.classList.add("cnnw-explorer-edit");
    const code = button("Copy as Python", () => copyWhenThere(), {
      title: "Copy Python that makes the map on show without the Explorer",
    });
    let asked = false;
    const copyWhenThere = () => {
      asked = true;
      this.link.command("code");
    };
    link.receive("code", async ({ content }) => {
      if (!asked) return; // another view of this Explorer did
      asked = false;
      if (!(await copy(String(content["text"] ?? ""), el))) return;
      rename(code, "Copied");
      setTimeout(() => rename(code, "Copy as Python"), 2000);
    });
    const parts = [
      h("div", { class: "cnnw-line" }, this.#title, this.#summary),
      h("div", { class: "cnnw-explorer-work" }, this.#progress.element),
      h("div", { class: "cnnw-line cnnw-explorer-tools" }, this.#panels, this.#picture, upload, edit, code, this.#file),
    ];
    el.append(h("div", { class: "cnnw-explorer-line" }, ...parts), this.#notes);
    this.#listen();
    // The Explorer's root is an ipywidgets box, which cannot set attributes on itself.
    link.whenInside(el, ".cnnw-explorer", (root) => {
      link.showBusy(root);
      this.#takeDropped(root);
      this.#panels.append(...PANELS.map(([name, label]) => panelButton(root, name, label)));
    });
  }

  #listen(): void {
    const { link } = this;
    const [picture, progress] = [this.#picture, this.#progress];
    link.watch(["title", "summary"], () => {
      setText(this.#title, link.get("title"));
      this.#summary.textContent = link.get("summary");
    });
    link.watch(["pictures", "picture"], () => {
      picture.replaceChildren(...link.get("pictures").map((name) => h("option", { value: name }, name)));
      picture.value = link.get("picture");
    });
    link.watch(["progress", "progress_text"], () => {
      const isCounted = link.get("progress") !== null;
      progress.show(isCounted || link.get("progress_text") !== "");
      progress.bar.hidden = progress.cancel.hidden = !isCounted;
    });
    link.watch(["notes"], () => {
      const notes = link.get("notes").map((note) => h("p", { class: "cnnw-explorer-note cnnw-warning" }, note));
      this.#notes.replaceChildren(...notes);
    });
  }

  /** An image file that is dropped on the Explorer is explored: JupyterLab would take it for its file browser. */
  #takeDropped(root: HTMLElement): void {
    const hasFile = (event: DragEvent) => event.dataTransfer?.types.includes("Files");
    const onOver = (event: DragEvent) => {
      if (hasFile(event)) claim(event);
    };
    const onDrop = (event: DragEvent) => {
      if (!hasFile(event)) return;
      claim(event);
      this.#upload(event.dataTransfer?.files[0]);
    };
    root.addEventListener("dragover", onOver);
    root.addEventListener("drop", onDrop);
    this.link.onClose(() => {
      root.removeEventListener("dragover", onOver);
      root.removeEventListener("drop", onDrop);
    });
  }

  async #upload(file: File | undefined): Promise<void> {
    if (!file) return;
    const { name, content } = file.size > LIMIT ? await shrunk(file) : { name: file.name, content: file as Blob };
    const refusal = tooLarge(content.size);
    if (refusal) {
      this.link.set("error_details", "");
      this.link.set("error", refusal);
      return;
    }
    this.link.command("upload", { name }, [await content.arrayBuffer()]);
  }
}

function rename(element: HTMLElement, name: string): void {
  element.textContent = element.ariaLabel = name;
}

/** Shows, hides or goes to a panel of the Explorer `root`. */
function panelButton(root: HTMLElement, name: string, label: string): HTMLElement {
  const folded = `cnnw-fold-${name}`;
  const lower = label.toLowerCase();
  const title = `Show or hide: ${lower}. Goes there if it is out of sight`;
  const toggle = button(`Show ${lower}`, () => flip(), { title, label });
  const flip = async () => {
    const panel = root.querySelector<HTMLElement>(`.cnnw-area-${name}`);
    if (!panel) return;
    const visible = !root.classList.contains(folded);
    if (visible && (await isOutOfSight(panel))) {
      goTo(panel);
      return;
    }
    root.classList.toggle(folded, visible);
    toggle.setAttribute("aria-pressed", String(!visible));
    window.dispatchEvent(new Event("resize"));
    if (!visible && (await isOutOfSight(panel))) goTo(panel);
  };
  toggle.setAttribute("aria-pressed", String(!root.classList.contains(folded)));
  return toggle;
}

export default entry<ExplorerBarState>("explorer-bar", ExplorerBarView);
