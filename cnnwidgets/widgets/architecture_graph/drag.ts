/** Scrolling by dragging, as on a sheet of paper; a finger scrolls by itself. */
export function scrollByDragging(element: HTMLElement, notOn: string): void {
  element.addEventListener("pointerdown", (event) => {
    const onItem = (event.target as Element).closest(notOn);
    if (event.button !== 0 || onItem || event.pointerType === "touch") return;
    const [x, y] = [event.clientX + element.scrollLeft, event.clientY + element.scrollTop];
    element.setPointerCapture(event.pointerId);
    element.classList.add("is-dragged");
    const move = (next: PointerEvent) => {
      element.scrollLeft = x - next.clientX;
      element.scrollTop = y - next.clientY;
    };
    const stop = () => {
      element.classList.remove("is-dragged");
      element.removeEventListener("pointermove", move);
    };
    element.addEventListener("pointermove", move);
    element.addEventListener("lostpointercapture", stop, { once: true });
  });
}
