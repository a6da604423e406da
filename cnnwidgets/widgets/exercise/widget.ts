/** Predict first, reveal after: radio buttons, and the explanation of the answer once it is checked. */
import { h } from "../_shared/dom";
import { type BaseState, entry, type Link, RootView } from "../_shared/view";
import "./widget.css";

export interface ExerciseState extends BaseState {
  question: string;
  choices: [answer: string, explanation: string][];
  correct: string;
  selected: string | null;
}

export interface Feedback {
  right: boolean;
  mark: string;
  explanation: string;
}

/** What there is to say of the answer that was checked; null: none was. */
export function feedbackOf({
  choices,
  correct,
  selected,
}: Pick<ExerciseState, "choices" | "correct" | "selected">): Feedback | null {
  const choice = choices.find(([answer]) => answer === selected);
  if (!choice) return null;
  const right = selected === correct;
  return { right, mark: right ? "✓ Right." : "✗ Not so.", explanation: choice[1] };
}

class ExerciseView extends RootView<ExerciseState> {
  readonly #question = h("legend", { class: "cnnw-wrap" });
  readonly #answers = h("div", { class: "cnnw-stack" });
  readonly #check = h("button", { type: "submit", class: "cnnw-button cnnw-field" }, "Check");
  readonly #feedback = h("p", { class: "ex-feedback cnnw-wrap", role: "status" });

  constructor(link: Link<ExerciseState>, el: HTMLElement) {
    super(link, el);
    const onsubmit = (event: Event) => {
      event.preventDefault();
      const input = this.#ticked();
      if (input) this.link.set("selected", input.value);
    };
    // Another answer is not checked yet.
    const onchange = () => this.#show(this.#ticked()?.value === this.link.get("selected"));
    const fields = h("fieldset", { class: "ex-fields" }, this.#question, this.#answers);
    el.append(h("form", { class: "cnnw-stack", onsubmit, onchange }, fields, this.#check, this.#feedback));
    link.watch(["question", "choices", "correct", "selected"], () => this.#paint());
  }

  #ticked(): HTMLInputElement | null {
    return this.#answers.querySelector<HTMLInputElement>("input:checked");
  }

  #paint(): void {
    this.#question.textContent = this.link.get("question");
    const choices = this.link.get("choices");
    const inputs = [...this.#answers.querySelectorAll("input")];
    // Made again only where they differ: the focus stays on the one that was checked.
    if (inputs.length !== choices.length || choices.some(([answer], at) => inputs[at]!.value !== answer)) {
      this.#answers.replaceChildren(...choices.map(([answer]) => this.#choice(answer)));
    }
    const selected = this.link.get("selected");
    for (const input of this.#answers.querySelectorAll("input")) {
      if (selected !== null) input.checked = input.value === selected;
    }
    this.#show(selected !== null);
  }

  #choice(answer: string): HTMLElement {
    const input = h("input", { type: "radio", name: "answer", value: answer });
    return h("label", { class: "ex-answer cnnw-wrap" }, input, h("span", {}, answer));
  }

  #show(checked: boolean): void {
    this.#check.disabled = this.#ticked() === null;
    const { link } = this;
    const state = { choices: link.get("choices"), correct: link.get("correct"), selected: link.get("selected") };
    const feedback = checked ? feedbackOf(state) : null;
    this.#feedback.replaceChildren(...(feedback ? [h("strong", {}, feedback.mark), ` ${feedback.explanation}`] : []));
    this.#feedback.classList.toggle("is-right", feedback?.right === true);
    this.#feedback.classList.toggle("is-wrong", feedback?.right === false);
  }
}

export default entry<ExerciseState>("exercise", ExerciseView, { worksAlone: true });
