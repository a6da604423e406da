/** A row of choices of which one holds: a radio group, one tab stop, arrows move and choose. */
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

export function segmented(label: string, onpick: (value: string) => void): Segmented {
  const group = h("div", { class: "cnnw-ho-radios", role: "radiogroup", "aria-label": label });
  const element = h("div", { class: "cnnw-ho-segmented" }, group);
  const radios = () => [...group.querySelectorAll<HTMLButtonElement>("button")];
  const check = (value: string) => {
    const all = radios();
    // A group in which nothing is chosen can still be entered.
    const stop = all.find((radio) => radio.value === value) ?? all.find((radio) => !radio.disabled);
    for (const radio of all) {
      radio.setAttribute("aria-checked", String(radio.value === value));
      radio.tabIndex = radio === stop ? 0 : -1;
    }
  };
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const usable = radios().filter((radio) => !radio.disabled);
    const now = usable.indexOf(document.activeElement as HTMLButtonElement);
    const next = usable[(now + step + usable.length) % usable.length];
    next?.focus();
    next?.click();
  });
  let shown = "";
  return {
    element,
    update(choices, value, beside = null) {
      const wanted = JSON.stringify(choices);
      // Rebuilding would take the focus from the choice that was just picked.
      if (wanted !== shown) {
        shown = wanted;
        group.replaceChildren(
          ...choices.map((choice) =>
            h(
              "button",
              {
                type: "button",
                role: "radio",
                dir: "auto",
                value: choice.value,
                title: choice.title ?? choice.label,
                disabled: choice.disabled ?? false,
                onclick: () => {
                  check(choice.value);
                  onpick(choice.value);
                },
              },
              choice.label,
            ),
          ),
        );
      }
      check(value);
      for (const child of [...element.children]) if (child !== group && child !== beside) child.remove();
      // Moving it would take the focus from it.
      if (beside && beside.parentElement !== element) element.append(beside);
    },
  };
}
