/** Panels that lie where the reader does not see them. */

/** Less of a panel than this, in pixels from top to bottom, is taken for nothing. */
const LEAST = 60;

/** Asks the browser, which knows what clips what; answers within a frame. */
export function isOutOfSight(panel: HTMLElement): Promise<boolean> {
  return new Promise((resolve) => {
    const observer = new IntersectionObserver((entries) => {
      observer.disconnect();
      const { boundingClientRect: whole, intersectionRect: visible } = entries.at(-1)!;
      resolve(whole.height > 0 && visible.height < Math.min(LEAST, whole.height));
    });
    observer.observe(panel);
  });
}

/** Scrolls to `panel` and puts the focus there, for the keyboard and so that it is seen which one it is. */
export function goTo(panel: HTMLElement): void {
  panel.scrollIntoView({ block: panel.offsetHeight < innerHeight ? "nearest" : "start" });
  if (!panel.hasAttribute("tabindex")) {
    panel.tabIndex = -1;
    // Else a click in the panel would put the focus on all of it.
    panel.addEventListener("blur", () => panel.removeAttribute("tabindex"), { once: true });
  }
  panel.setAttribute("data-lm-suppress-shortcuts", "true");
  panel.focus({ preventScroll: true });
}
