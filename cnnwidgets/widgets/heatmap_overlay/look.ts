/** What is on show: which map, in which view, on which scale, and what has to be said of it. */
import { type ColormapName, isColormap } from "../_shared/colormaps";
import type { Model } from "../_shared/model";
import type { Colours } from "./colours";
import { type Heat, mergedBy, scaleFor, type View, viewOf } from "./heat";
import { clipSentence, once, type Scale, type Sentence, scaleOf, sentencesOf } from "./scale";
import type { Sign, State } from "./state";
import type { Strip } from "./strip";

export interface Look {
  view: View | null;
  colours: Colours | null;
  scale: Scale;
  sign: Sign;
  name: ColormapName;
  caption: string;
  unit: string;
  sentences: Sentence[];
}

const NOTHING: Scale = { limit: 0, clip: 0, sparse: false };
const mixed = new WeakMap<Colours, [clip: number, scale: Scale]>();

function mixedScale(colours: Colours, clip: number): Scale {
  const [before, known] = mixed.get(colours) ?? [];
  const scale = known && before === clip ? known : scaleOf(colours.part, colours.limit, clip);
  mixed.set(colours, [clip, scale]);
  return scale;
}

/** `early`: the map is the strip's, and Python's captions and notes are still about another. */
export function lookOf(model: Model<State>, heat: Heat | null, colours: Colours | null, early: Strip | null): Look {
  const view = heat && viewOf(heat, model.get("sign"));
  const sign = view?.sign ?? model.get("sign");
  const wanted = model.get(sign === "signed" ? "diverging" : "colormap");
  const name: ColormapName = isColormap(wanted) ? wanted : sign === "signed" ? "blue-red" : "inferno";
  // A map that fills in would change its scale with each piece.
  const clip = heat?.partial ? 0 : model.get("clip");
  const scale = colours ? mixedScale(colours, clip) : view ? scaleFor(view, clip) : NOTHING;
  const largest = (colours ?? view)?.limit ?? 0;
  const said = view && clipSentence(scale, clip, sign === "negative" && !colours ? -largest : largest);
  const caption = early ? early.caption.replace("{layer}", heat?.layer ?? "") : model.get("caption");
  const merged = heat && !colours && mergedBy(heat, sign);
  return {
    view,
    colours,
    scale,
    sign,
    name,
    caption: [caption, colours ? "three channels" : merged].filter(Boolean).join(" · "),
    unit: early ? early.unit : model.get("unit"),
    sentences: once(
      [
        ...(view && heat ? sentencesOf(view.stats, colours ? "signed" : sign, heat.partial) : []),
        ...(said ? [said] : []),
      ],
      early ? [] : model.get("notes"),
    ),
  };
}
