/** The panel of the selected channel. */
import { gradient } from "../_shared/colormaps";
import { button, h } from "../_shared/dom";
import { number, percent } from "../_shared/format";
import { type Png, saveButton } from "../_shared/png";
import { chart } from "./chart";
import type { Look } from "./large";
import { span } from "./maps";
import { draw, fileName, subject } from "./save";
import { makeStage } from "./stage";
import type { View } from "./view";

export interface Actions {
  /** The parts of a title: what is shown, then photograph and network. */
  title: (shown: string) => string[];
  choose: (channel: number) => void;
  close: () => void;
  /** `done` is false while the slider is dragged. */
  setOpacity: (opacity: number, done: boolean) => void;
  setSmooth: (smooth: boolean) => void;
  switchOff: (channel: number, off: boolean) => void;
}

export interface Detail {
  element: HTMLElement;
  show: (view: View, channel: number | null, look: Look) => void;
  /** Whether the shown channel is switched off; null hides the switch. */
  setSwitch: (off: boolean | null) => void;
  /** Redraws the large map alone. */
  restyle: (look: Look) => void;
}

export function makeDetail(actions: Actions): Detail {
  const stage = makeStage();
  const title = h("span", { class: "fm-title" });
  const bar = h("div", { class: "fm-colourbar" });
  const values = h("dl", { class: "fm-values" });
  const spread = h("div", { class: "fm-spread" });
  let shown: { view: View; channel: number } | null = null;

  function sheet(view: View, channel: number): Png {
    const { layer } = view.maps;
    const title = actions.title(subject(layer, channel));
    const off = power.dataset["off"] === "true";
    return {
      canvas: draw({ map: stage.canvas, view, channel, title, off }),
      name: fileName(layer, channel, title.slice(1)),
    };
  }
  const step = (by: number) => {
    if (!shown) return;
    const { order, position } = shown.view;
    const to = order[(position[shown.channel] ?? 0) + by];
    if (to !== undefined) actions.choose(to);
  };
  const previous = button("Previous channel", () => step(-1), { label: "‹" });
  const next = button("Next channel", () => step(1), { label: "›" });
  const slider = h("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": "Opacity of the map" });
  const opacity = h("output", {});
  slider.addEventListener("input", () => actions.setOpacity(Number(slider.value) / 100, false));
  slider.addEventListener("change", () => actions.setOpacity(Number(slider.value) / 100, true));
  const smooth = h("input", { type: "checkbox" });
  smooth.addEventListener("change", () => actions.setSmooth(smooth.checked));
  const power = button("Switch off", () => shown && actions.switchOff(shown.channel, power.dataset["off"] !== "true"));
  const over = h("label", { class: "fm-opacity" }, "Opacity", slider, opacity);

  const panel = h(
    "div",
    { class: "fm-panel" },
    h(
      "div",
      { class: "cnnw-heading" },
      title,
      h(
        "span",
        { class: "cnnw-aside fm-actions" },
        power,
        previous,
        next,
        saveButton(() => shown && sheet(shown.view, shown.channel), "Save the large map as a PNG").element,
        button("Close", actions.close, { label: "✕", title: "Close (Escape)" }),
      ),
    ),
    stage.element,
    h(
      "div",
      { class: "fm-facts" },
      bar,
      h("div", { class: "fm-controls" }, over, h("label", { class: "fm-smooth" }, smooth, "Smooth")),
      values,
      spread,
    ),
  );
  const hint = h("p", { class: "cnnw-empty" }, "Click a map to see it large.");
  const element = h("section", { class: "fm-detail" }, hint, panel);

  function restyle(look: Look) {
    if (!shown) return;
    stage.draw(shown.view, shown.channel, look);
    over.hidden = !look.picture;
    const whole = Math.round(look.opacity * 100);
    if (Number(slider.value) !== whole) slider.value = String(whole);
    opacity.textContent = `${whole} %`;
    smooth.checked = look.smooth;
  }

  return {
    element,
    restyle,
    setSwitch: (off) => {
      power.hidden = off === null;
      power.dataset["off"] = String(off === true);
      power.textContent = off ? "Switch on" : "Switch off";
      power.setAttribute("aria-label", power.textContent);
      power.title = off ? "Let the network have this map again (0)" : "See what the network says without this map (0)";
    },
    show: (view, channel, look) => {
      const { maps } = view;
      shown = channel !== null && channel < maps.count ? { view, channel } : null;
      hint.hidden = shown !== null;
      panel.hidden = shown === null;
      element.setAttribute("aria-label", shown ? `Channel ${shown.channel}` : "Selected channel");
      if (!shown) return;
      const name = shown.channel;
      title.textContent = `Channel ${name}`;
      title.title = maps.layer ? `Channel ${name} of ${maps.layer}` : `Channel ${name}`;
      const at = view.position[name] ?? 0;
      previous.disabled = at === 0;
      next.disabled = at === maps.count - 1;
      bar.replaceChildren(...colourBar(view, name));
      values.replaceChildren(...facts(view, name));
      spread.replaceChildren(chart(maps, name));
      restyle(look);
    },
  };
}

function colourBar(view: View, channel: number): Node[] {
  const [low, high] = span(view.maps, channel, view.scale, view.colormap);
  const strip = h("div", { class: "fm-gradient", "aria-hidden": "true" });
  strip.style.background = gradient(view.colormap);
  const text = view.scale === "map" ? "scale of this map" : "scale of the layer";
  return [
    strip,
    h("div", { class: "fm-axis" }, h("span", {}, number(low)), h("span", {}, text), h("span", {}, number(high))),
  ];
}

function facts(view: View, channel: number): Node[] {
  const { maps, contribution } = view;
  const of = (values: ArrayLike<number>) => values[channel] ?? Number.NaN;
  const rows: [string, string, boolean][] = [
    ["minimum", number(of(maps.minimum)), false],
    ["maximum", number(of(maps.maximum)), false],
    ["mean", number(of(maps.mean)), false],
    ["zeros", percent(of(maps.zeros)), false],
    ["layer", maps.layer, true],
    ["channel", `${channel} (0 to ${maps.count - 1})`, true],
  ];
  if (maps.field) rows.push(["receptive field", `${maps.field.join(" × ")} px`, true]);
  if (contribution) {
    const to = contribution.target ? `contribution to ${contribution.target}` : "contribution";
    rows.push([to, number(of(contribution.values)), true]);
  }
  return rows
    .filter(([, value]) => value !== "")
    .map(([name, value, wide]) =>
      h(
        "div",
        { class: wide ? "fm-wide" : "" },
        h("dt", { title: name }, h("bdi", {}, name)),
        h("dd", { title: value }, h("bdi", {}, value)),
      ),
    );
}
