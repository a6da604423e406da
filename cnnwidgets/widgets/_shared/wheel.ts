/** A list in a notebook takes the wheel only from who has clicked in it: else reading on would end in each list. */

const LINE = 20; // pixels that one notch of a wheel which counts lines is worth

/** Passes the wheel over `area` on to what scrolls around it, unless the focus is in `area`. */
export function passWheelOn(area: HTMLElement): void {
  area.addEventListener(
    "wheel",
    (event) => {
      if (area.contains(document.activeElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const around = scrollsAround(area);
      if (!around || event.deltaY === 0) return;
      around.scrollTop += event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE : 1);
      event.preventDefault();
    },
    { passive: false },
  );
}

function scrollsAround(area: HTMLElement): Element | null {
  for (let around = area.parentElement; around; around = around.parentElement) {
    const scrolls = /auto|scroll/u.test(getComputedStyle(around).overflowY);
    if (scrolls && around.scrollHeight > around.clientHeight + 1) return around;
  }
  return document.scrollingElement;
}
