/** The page's theme, for canvases: what is painted on them does not follow it by itself. */
import type { BaseState, Link } from "./view";

/** Calls `handler` when the page's theme may have changed. */
export function watchTheme(link: Link<BaseState>, handler: () => void): void {
  const observer = new MutationObserver(handler);
  for (const element of [document.documentElement, document.body]) observer.observe(element, { attributes: true });
  const queries = ["(prefers-color-scheme: dark)", "(prefers-contrast: more)", "(forced-colors: active)"].map(
    matchMedia,
  );
  for (const query of queries) query.addEventListener("change", handler);
  link.onClose(() => {
    observer.disconnect();
    for (const query of queries) query.removeEventListener("change", handler);
  });
}
