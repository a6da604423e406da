/** What to compare: methods by family, and layers or classes; and the buttons that begin and stop it. */
import { command } from "../_shared/channel";
import { button, h } from "../_shared/dom";
import { assign, type Model, watch } from "../_shared/model";
import { byFamily } from "../heatmap_overlay/families";
import { segmented } from "../heatmap_overlay/segmented";
import type { State } from "./state";

type Option = readonly [value: string, label: string, title: string];

/** A list of checkboxes that folds under a line that names what is ticked. */
function ticks(name: string, onchange: (values: string[]) => void) {
  const said = h("span", { class: "cnnw-cmp-said", dir: "auto" });
  const body = h("div", { class: "cnnw-cmp-ticks" });
  const element = h("details", { class: "cnnw-cmp-choice" }, h("summary", {}, h("b", {}, name), " ", said), body);
  const boxes = () => [...body.querySelectorAll("input")];
  body.addEventListener("change", () =>
    onchange(
      boxes()
        .filter((box) => box.checked)
        .map((box) => box.value),
    ),
  );
  let listed = "";
  return {
    element,
    update(groups: readonly (readonly [heading: string, options: readonly Option[]])[], chosen: readonly string[]) {
      const wanted = JSON.stringify(groups);
      if (wanted !== listed) {
        listed = wanted;
        body.replaceChildren(
          ...groups.map(([heading, options]) =>
            h(
              "fieldset",
              {},
              h("legend", {}, heading || name),
              ...options.map(([value, label, title]) =>
                h(
                  "label",
                  { title, class: "cnnw-ho-check" },
                  h("input", { type: "checkbox", value }),
                  h("span", { dir: "auto" }, label),
                ),
              ),
            ),
          ),
        );
        body.classList.toggle("is-one", groups.length === 1);
      }
      for (const box of boxes()) box.checked = chosen.includes(box.value);
      const names = groups.flatMap(([, options]) => options).filter(([value]) => chosen.includes(value));
      said.textContent = names.map(([, label]) => label).join(", ") || "none ticked";
      said.title = said.textContent;
    },
  };
}

export function choices(model: Model<State>): { element: HTMLElement; stop: () => void } {
  const methods = ticks("Methods", (values) => assign(model, "chosen_methods", values));
  const layers = ticks("Layers", (values) => assign(model, "chosen_layers", values));
  const classes = ticks("Classes", (values) => assign(model, "chosen_classes", values.map(Number)));
  const axis = segmented("Columns", (value) => assign(model, "axis", value as State["axis"]));
  const go = button("Compare", () =>
    // Traits may still be on their way; the command carries the choice.
    command(model, "compare", {
      methods: model.get("chosen_methods"),
      axis: model.get("axis"),
      layers: model.get("chosen_layers"),
      classes: model.get("chosen_classes"),
    }),
  );
  go.classList.add("cnnw-cmp-go");
  const cancel = button("Cancel", () => command(model, "cancel"));
  const meter = h("progress", { class: "cnnw-progress", max: 1, value: 0, "aria-label": "Progress" });
  const text = h("span", { class: "cnnw-cmp-left" });
  const work = h("div", { class: "cnnw-cmp-work" }, meter, text, cancel);
  const line = h("div", { class: "cnnw-ho-line" }, axis.element, go, work);
  const element = h("div", { class: "cnnw-cmp-choices" }, methods.element, layers.element, classes.element, line);
  const names = ["methods", "layers", "classes", "chosen_methods", "chosen_layers", "chosen_classes"] as const;
  const stop = watch(model, [...names, "axis", "busy", "progress", "progress_text"], () => {
    element.hidden = model.get("methods").length === 0;
    const families = byFamily(model.get("methods"));
    methods.update(
      families.map(([heading, members]) => [
        heading,
        members.map(([name, label, question]) => [name, label, question]),
      ]),
      model.get("chosen_methods"),
    );
    const byLayer = model.get("axis") === "layers";
    layers.element.hidden = !byLayer;
    classes.element.hidden = byLayer;
    layers.update([["", model.get("layers").map((name) => [name, name, name])]], model.get("chosen_layers"));
    classes.update(
      [["", model.get("classes").map(([index, label]) => [String(index), `${label} (${index})`, label])]],
      model.get("chosen_classes").map(String),
    );
    axis.update(
      [
        { value: "layers", label: "Layers", title: "A column for each layer; one class" },
        { value: "classes", label: "Classes", title: "A column for each class; one layer" },
      ],
      model.get("axis"),
    );
    const busy = model.get("busy");
    const share = model.get("progress");
    go.disabled = busy;
    work.hidden = !busy;
    meter.hidden = share === null;
    meter.value = share ?? 0;
    text.textContent = model.get("progress_text");
  });
  return { element, stop };
}
