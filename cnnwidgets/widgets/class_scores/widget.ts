import "../_shared/base.css";
import "./widget.css";
import { openChannel, subscribe } from "../_shared/channel";
import { h, menu } from "../_shared/dom";
import { assign, type BaseState, listen, type Model, type RenderContext, watch } from "../_shared/model";
import { shell } from "../_shared/shell";
import { rawName, rowAt, search } from "./rows";

export interface State extends BaseState {
  target: number | null;
  score: "probability" | "logit";
  rows: number[];
  names: string[];
  values: string[];
  message: string;
  kind: string | null;
  remark: string;
}

const FOUND = 12;
let lists = 0;

/** A search over all classes: type a name or a number, pick from the list, Enter takes the first. */
function searchBox(model: Model<State>): { element: HTMLElement; stop: () => void } {
  let names: string[] = [];
  lists += 1;
  const list = h("datalist", { id: `cnnw-classes-${lists}` });
  const input = h("input", {
    type: "search",
    class: "cnnw-class-scores-search",
    placeholder: "Explain another class…",
    "aria-label": "Find a class by name or number",
    list: list.id,
    autocomplete: "off",
  });
  const take = (index: number) => {
    assign(model, "target", index);
    input.value = "";
    list.replaceChildren();
  };
  input.addEventListener("input", () => {
    const exact = /^(\d+): /.exec(input.value);
    if (exact && names[Number(exact[1])] !== undefined) return take(Number(exact[1]));
    list.replaceChildren(
      ...search(names, input.value, FOUND).map((index) => h("option", { value: `${index}: ${names[index]}` })),
    );
    input.setCustomValidity("");
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const [first] = search(names, input.value, 1);
    if (first !== undefined) return take(first);
    input.setCustomValidity(`No class has “${input.value}” in its name.`);
    input.reportValidity();
  });
  const stop = subscribe(model, "classes", (data) => {
    names = data.content["names"] as string[];
  });
  return { element: h("div", {}, input, list), stop };
}

/** Makes the whole of a row clickable: the bar of an unlikely class is less than a pixel wide. */
function clickableRows(root: HTMLElement, model: Model<State>): () => void {
  const rowUnder = (event: MouseEvent): number | null => {
    const figure = root.querySelector<HTMLElement>(".bqplot");
    if (!figure || !figure.contains(event.target as Node)) return null;
    const box = figure.getBoundingClientRect();
    return rowAt(event.clientY - box.top, box.height, model.get("rows").length);
  };
  const click = (event: MouseEvent) => {
    if ((event.target as Element).classList.contains("bar")) return; // bqplot's own selection takes it
    const row = rowUnder(event);
    const index = row === null ? undefined : model.get("rows")[row];
    if (index !== undefined) assign(model, "target", index);
  };
  const move = (event: MouseEvent) => {
    const row = rowUnder(event);
    const figure = root.querySelector<HTMLElement>(".bqplot");
    if (!figure) return;
    figure.title =
      row === null ? "" : `${model.get("names")[row]} (class ${model.get("rows")[row]}): ${model.get("values")[row]}`;
  };
  root.addEventListener("click", click);
  root.addEventListener("mousemove", move);
  return () => {
    root.removeEventListener("click", click);
    root.removeEventListener("mousemove", move);
  };
}

function render({ model, el }: RenderContext<State>): () => void {
  const unshell = shell(el, model, "class-scores-header");
  const offs: (() => void)[] = [];
  const score = menu(
    "What the bars show",
    [
      ["probability", "Probability"],
      ["logit", "Logit"],
    ],
    model.get("score"),
    (value) => assign(model, "score", value as State["score"]),
  );
  const find = searchBox(model);
  const empty = h("p", { class: "cnnw-empty" });
  const remark = h("p", { class: "cnnw-class-scores-remark" });
  const spoken = h("div", { class: "cnnw-class-scores-spoken", role: "list", "aria-label": "Class scores" });
  el.append(
    h("h3", { class: "cnnw-heading" }, "What did it say?", h("span", { class: "cnnw-aside" }, score)),
    find.element,
    empty,
    remark,
    spoken,
  );
  offs.push(find.stop);
  offs.push(watch(model, ["score"], () => void (score.value = model.get("score"))));
  offs.push(
    watch(model, ["kind"], () => {
      const kind = model.get("kind");
      score.options[1]!.text = rawName(kind);
      score.hidden = kind === "number";
    }),
  );
  offs.push(
    watch(model, ["remark"], () => {
      remark.textContent = model.get("remark");
      remark.hidden = !model.get("remark");
    }),
  );
  offs.push(
    watch(model, ["message"], () => {
      empty.textContent = model.get("message");
      empty.hidden = !model.get("message");
      find.element.hidden = !!model.get("message");
    }),
  );
  // The bars are a picture; these buttons are the same rows for the keyboard and for screen readers.
  offs.push(
    watch(model, ["rows", "names", "values", "target"], () => {
      const focused = spoken.contains(document.activeElement)
        ? [...spoken.querySelectorAll("button")].indexOf(document.activeElement as HTMLButtonElement)
        : -1;
      spoken.replaceChildren(
        ...model.get("rows").map((index, row) =>
          h(
            "div",
            { role: "listitem" },
            h(
              "button",
              {
                type: "button",
                "data-class": index,
                "aria-pressed": String(index === model.get("target")),
                onclick: () => assign(model, "target", index),
              },
              `${model.get("names")[row]}, ${model.get("values")[row]}`,
            ),
          ),
        ),
      );
      if (focused >= 0) spoken.querySelectorAll("button")[focused]?.focus();
    }),
  );
  // The figure is a sibling under the same root, which exists only once this view is in the page.
  let unclick = () => {};
  const frame = requestAnimationFrame(() => {
    const root = el.closest<HTMLElement>(".cnnw-class-scores");
    if (!root) return;
    unclick = clickableRows(root, model);
    const busy = () => (model.get("busy") ? root.setAttribute("aria-busy", "true") : root.removeAttribute("aria-busy"));
    busy();
    offs.push(listen(model, "change:busy", busy));
  });
  return () => {
    cancelAnimationFrame(frame);
    unclick();
    offs.forEach((off) => off());
    unshell();
  };
}

export default {
  initialize: ({ model }: { model: Model<State> }) => openChannel(model),
  render,
};
