/** What is on show: which map, in which view, on which scale, and what has to be said of it. */
import type { ColormapName } from "../_maps/colormaps";
import { colourMapOf } from "../_maps/controls";
import { type Heat, type HeatView, mergedBy, scaleFor, viewOf } from "../_maps/heat";
import type { ColouringState, Method, Scale, Sign } from "../_maps/scale";
import type { Link } from "../_shared/view";
import type { Mark } from "./boxes";
import type { Colours } from "./colours";
import type { Strip } from "./layers";
import { clipSentence, once, type Sentence, sentencesOf } from "./sentences";

export interface Note {
  level: "ok" | "warn";
  text: string;
}

export interface Setting {
  name: string;
  label: string;
  help: string;
  value: number;
  whole: boolean;
}

/** The synced traits of HeatmapOverlay; widget.py says what each means. */
export interface OverlayState extends ColouringState {
  rgb: boolean;
  limit: number;
  smooth: boolean;
  caption: string;
  unit: string;
  notes: Note[];
  methods: Method[];
  method: string;
  settings: Setting[];
  layers: string[];
  layer: string;
  strip_scale: "own" | "shared";
  follow: boolean;
  explains: string;
  picking: "none" | "marks" | "region";
  marks: Mark[];
  marked: number | null;
  region: number[];
}

export interface OverlayLook {
  view: HeatView | null;
  colours: Colours | null;
  scale: Scale;
  sign: Sign;
  name: ColormapName;
  caption: string;
  /** Several channels are drawn as one number a place. */
  merging: boolean;
  unit: string;
  sentences: Sentence[];
}

const NOTHING: Scale = { limit: 0, clip: 0, sparse: false };

/** `early`: the map is the strip's, and Python's captions and notes are still about another. */
export function lookOf(
  link: Link<OverlayState>,
  heat: Heat | null,
  colours: Colours | null,
  early: Strip | null,
): OverlayLook {
  const view = heat && viewOf(heat, link.get("sign"));
  const sign = view?.sign ?? link.get("sign");
  // A map that fills in would change its scale with each piece.
  const clip = heat?.partial ? 0 : link.get("clip");
  const painted = colours ?? view;
  const end = colours ? 0 : link.get("limit");
  const shared = painted && end > 0 && { limit: end, clip: Number(painted.limit > end), sparse: false };
  const scale = shared || (painted ? scaleFor(painted, clip) : NOTHING);
  const largest = painted?.limit ?? 0;
  const furthest = sign === "negative" && !colours ? -largest : largest;
  const clipping = view && !shared && clipSentence(scale, clip, furthest, view.digits);
  const caption = early ? early.caption.replace("{layer}", heat?.layer ?? "") : link.get("caption");
  const merging = heat && !colours && mergedBy(heat, sign);
  const own = view && heat ? sentencesOf(view.stats, colours ? "signed" : sign, heat.partial) : [];
  return {
    view,
    colours,
    scale,
    sign,
    name: colourMapOf(link, sign),
    caption: [caption, colours ? "three channels" : merging].filter(Boolean).join(" · "),
    merging: Boolean(merging) && (heat?.channels ?? 0) > 1,
    unit: early ? early.unit : link.get("unit"),
    sentences: once(clipping ? [...own, clipping] : own, early ? [] : link.get("notes")),
  };
}
