/** Whether anybody answers a view, and what it shows where nobody does. */
import { h } from "./dom";
import type { BaseState, Link } from "./view";

const GONE = "The kernel is gone: run the cell again.";
const ASLEEP = "The live widget needs a running kernel: run the cell again.";
const UNREACHABLE = "The server cannot be reached: nothing is computed until it answers again.";
/** Milliseconds that a connection may take to come back before it is spoken of. */
const PATIENCE = 1500;

/**
 * Without its kernel a view says so, and nothing else in it can be used: a model that was live never is again. While
 * only the connection is lost it may come back.
 */
export function watchKernel(link: Link<BaseState>, el: HTMLElement): void {
  let gone = false;
  let said = "";
  let timer = 0;
  const say = (sentence: string, look = { class: "cnnw-error cnnw-gone", role: "alert" }) => {
    if (sentence === said) return;
    said = sentence;
    el.querySelector(":scope > .cnnw-gone")?.remove();
    for (const part of el.children) part.toggleAttribute("inert", sentence !== "");
    if (sentence) el.prepend(h("p", look, sentence));
  };
  const end = () => {
    gone = true;
    say(GONE);
  };
  // A view of saved state never had a kernel: its maps are not in the state, only the still picture has them. The
  // widget's layout is a model too, and tells whether anybody is at the other end; marimo has none.
  const layout = (link as unknown as Link<BaseState & { layout?: { comm_live?: boolean } }>).get("layout");
  if (layout?.comm_live === false) {
    gone = true;
    el.classList.add("cnnw-asleep");
    link.whenInside(el, ".cnnw-asleep", showOneSentence);
    say(ASLEEP, { class: "cnnw-warning cnnw-gone", role: "status" });
  }
  link.listen("comm_live_update", end);
  // JupyterLab does not tell its widgets of a kernel that is shut down, nor of one that it has given up reaching.
  const status = link.model.widget_manager?.kernel?.connectionStatusChanged;
  const listener = (_: unknown, now: string) => {
    clearTimeout(timer);
    if (gone) return;
    if (now === "connected") say("");
    else if (now !== "disconnected") timer = window.setTimeout(() => say(UNREACHABLE), PATIENCE);
    else if (!said) end();
  };
  status?.connect(listener);
  link.onClose(() => {
    clearTimeout(timer);
    status?.disconnect(listener);
  });
}

/** Beside a live widget its still picture is hidden: by a class, as a selector that looks inside is slow. */
export function hideStill(link: Link<BaseState>, el: HTMLElement): void {
  link.whenInside(el, ".jp-OutputArea-child", (output) => {
    const mark = () => {
      const live = output.querySelector(".cnnw") && !output.querySelector(".cnnw-asleep");
      output.classList.toggle("cnnw-live", Boolean(live));
    };
    mark();
    link.onClose(() => setTimeout(mark));
  });
}

/** Of the parts of a box that is asleep the first says so for all. */
function showOneSentence(asleep: HTMLElement): void {
  for (let box = asleep.parentElement; box; box = box.parentElement) {
    if (box.classList.contains("cnnw")) box.classList.add("cnnw-asleep-box");
  }
}
