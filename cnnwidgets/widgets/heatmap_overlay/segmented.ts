/** A row of choices of which one holds: real radio buttons, so that keyboard and screen reader know them. */
import { h } from "../_shared/dom";

export interface Choice {
  value: string;
  label: string;
  title?: string;
  disabled?: boolean;
}

export interface Segmented {
  element: HTMLElement;
  /** Replaces choices and selection; `beside` stands at the end of the row. */
  update(choices: readonly Choice[], value: string, beside?: HTMLElement | null): void;
}

let groups = 0;

export function segmented(label: string, onpick: (value: string) => void): Segmented {
  groups += 1;
  const name = `cnnw-ho-${groups}`;
  const group = h("div", { class: "cnnw-ho-radios", role: "radiogroup", "aria-label": label });
  const element = h("div", { class: "cnnw-ho-segmented" }, group);
  let shown = "";
  return {
    element,
    update(choices, value, beside = null) {
      const wanted = JSON.stringify(choices);
      // Rebuilding would take the focus from the radio that was just picked.
      if (wanted !== shown) {
        shown = wanted;
        group.replaceChildren(
          ...choices.map((choice) =>
            h(
              "label",
              { title: choice.title ?? choice.label },
              h("input", {
                type: "radio",
                name,
                value: choice.value,
                disabled: choice.disabled ?? false,
                onchange: () => onpick(choice.value),
              }),
              h("span", { dir: "auto" }, choice.label),
            ),
          ),
        );
      }
      for (const input of group.querySelectorAll("input")) input.checked = input.value === value;
      while (element.lastChild !== group) element.lastChild?.remove();
      if (beside) element.append(beside);
    },
  };
}
