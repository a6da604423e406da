/** A widget's view, or a part of one: it has its link from the start, for its fields to be made with. */
import type { Link } from "./link";
import type { BaseState } from "./model";

export abstract class View<State extends BaseState> {
  constructor(protected readonly link: Link<State>) {}
}

/** The view that fills a widget's root, `el`. */
export abstract class RootView<State extends BaseState> extends View<State> {
  constructor(
    link: Link<State>,
    protected readonly el: HTMLElement,
  ) {
    super(link);
  }
}
