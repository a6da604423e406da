/** The camera: asked for when its button is pressed, and let go of after the picture, or when the view goes. */
import { button, contextOf, h } from "../_shared/dom";

const NONE = "This page has no camera: the browser gives one to pages on https or localhost alone.";

export class Camera {
  readonly #video = h("video", {
    class: "ii-video",
    autoplay: true,
    playsinline: true,
    "aria-label": "What the camera sees",
  });
  readonly element: HTMLElement;
  #stream: MediaStream | null = null;
  #request = 0;

  constructor(
    private readonly take: (picture: Blob) => void,
    private readonly fail: (sentence: string) => void,
    private readonly onchange: (on: boolean) => void,
  ) {
    this.#video.muted = true;
    const shoot = button("Take picture", () => this.#shoot(), {
      title: "Use what the camera sees now, and stop the camera",
    });
    const stop = button("Stop camera", () => this.stop(), { title: "Stop the camera without a picture" });
    const note = h(
      "p",
      { class: "cnnw-soft" },
      "Only the picture that you take goes to the kernel, nothing anywhere else.",
    );
    this.element = h(
      "div",
      { class: "cnnw-stack ii-camera" },
      this.#video,
      h("div", { class: "cnnw-row" }, shoot, stop),
      note,
    );
    this.element.hidden = true;
  }

  /** The browser asks the reader. */
  async start(): Promise<void> {
    if (this.#stream) return;
    this.#request += 1;
    const mine = this.#request;
    if (!navigator.mediaDevices?.getUserMedia) {
      this.fail(NONE);
      return;
    }
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: false });
      // It was stopped, or asked for again, while the browser asked.
      if (mine !== this.#request) {
        end(stream);
        return;
      }
      this.#stream = stream;
      this.#video.srcObject = stream;
      this.#show(true);
    } catch (error) {
      const isRefused = error instanceof DOMException && error.name === "NotAllowedError";
      const reason = error instanceof Error ? error.message : String(error);
      this.fail(
        isRefused ? "The camera was not allowed: allow it in the browser, or upload a file." : `No camera: ${reason}.`,
      );
    }
  }

  stop(): void {
    this.#request += 1;
    if (this.#stream) end(this.#stream);
    this.#stream = null;
    this.#video.srcObject = null;
    this.#show(false);
  }

  async #shoot(): Promise<void> {
    const { videoWidth: width, videoHeight: height } = this.#video;
    if (width === 0) return;
    const canvas = h("canvas", { width, height });
    contextOf(canvas).drawImage(this.#video, 0, 0);
    this.stop();
    const picture = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
    if (picture) this.take(picture);
  }

  #show(on: boolean): void {
    this.element.hidden = !on;
    this.onchange(on);
  }
}

function end(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
