import assert from "node:assert/strict";
import { test } from "node:test";
// biome-ignore lint/correctness/noUndeclaredDependencies: cnnwidgets/_frontend/package.json declares it
import { Window } from "happy-dom";

const window = new Window();
Object.assign(globalThis, { document: window.document });
const { h, walkByKeys } = await import("../../../cnnwidgets/widgets/_shared/dom");

function walked(options: { vertical?: boolean; stops?: boolean }, from: string, key: string): string {
  let pressed = "";
  const onclick = ({ target }: Event) => {
    pressed = (target as HTMLButtonElement).value;
  };
  const button = (value: string) => h("button", { value, disabled: value === "off", onclick }, value);
  const row = h("div", {}, ...["a", "off", "b", "c"].map(button));
  document.body.append(row);
  walkByKeys(row, options);
  const focused = row.querySelector<HTMLButtonElement>(`[value=${from}]`)!;
  focused.focus();
  focused.dispatchEvent(new window.KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }) as never);
  return pressed;
}

test("arrows go round and leave out what cannot be pressed, Home and End go to the ends, other keys nowhere", () => {
  assert.equal(walked({}, "a", "ArrowRight"), "b");
  assert.equal(walked({}, "c", "ArrowRight"), "a");
  assert.equal(walked({}, "a", "ArrowLeft"), "c");
  assert.equal(walked({}, "c", "ArrowUp"), "b");
  assert.equal(walked({}, "b", "Home"), "a");
  assert.equal(walked({}, "a", "End"), "c");
  assert.equal(walked({}, "a", "x"), "");
});

test("a row may stop at its ends, and leave up and down to the page", () => {
  assert.equal(walked({ stops: true }, "c", "ArrowRight"), "c");
  assert.equal(walked({ stops: true }, "a", "ArrowLeft"), "a");
  assert.equal(walked({ vertical: false }, "a", "ArrowDown"), "");
  assert.equal(walked({ vertical: false }, "a", "ArrowRight"), "b");
});
