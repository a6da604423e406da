/** The photograph before it was cropped, with the part that the network sees. */
import { placeField } from "../_maps/field";
import { photoImage, photoOf } from "../_maps/photo";
import { h, putImage } from "../_shared/dom";
import type { Link } from "../_shared/view";
import type { OverlayState } from "./look";

const MOST = 560; // px, of the picture

export class Whole {
  readonly button = h("button", { type: "button", class: "cnnw-plain cnnw-link cnnw-soft", hidden: true });
  readonly element = h("div", { class: "cnnw-ho-whole cnnw-around", hidden: true });
  readonly #canvas = h("canvas", { role: "img", "aria-label": "Whole photograph" });
  readonly #frame = h("div", { class: "cnnw-ho-seen-frame" });

  /** `around` gets the class `is-whole` while the whole photograph stands in the place of the picture, `stage`. */
  constructor(link: Link<OverlayState>, around: HTMLElement, stage: HTMLElement) {
    this.element.append(this.#canvas, this.#frame);
    this.button.title = "See the whole photograph, and the part that the network sees";
    let ratio = 1;
    const show = (on: boolean) => {
      // Within the room that the picture has, so that what is below stays where it is.
      const { width, height } = stage.getBoundingClientRect();
      if (on && width > 0) {
        const share = Math.min(1, (ratio * height) / width);
        this.element.style.width = `min(${100 * share}%, ${MOST * share}px)`;
      }
      this.element.hidden = !on;
      around.classList.toggle("is-whole", on);
      this.button.setAttribute("aria-pressed", String(on));
    };
    this.button.addEventListener("click", () => show(this.element.hidden));
    link.receive("whole", (data) => {
      const photo = photoOf(data);
      this.button.hidden = photo === null;
      show(false);
      if (!photo) return;
      ratio = photo.size[1] / photo.size[0];
      const [top, left, bottom, right] = data.content["frame"] as [number, number, number, number];
      placeField(this.#frame, [top, left, bottom, right]);
      const seen = Math.round(100 * (bottom - top) * (right - left));
      this.button.textContent = `Cropped: sees ${seen} %`;
      putImage(this.#canvas, photoImage(photo));
    });
  }
}
