"""What ties the Explorer to its widgets: traits kept the same both ways, errors, and the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ShowError = Callable[[BaseException], None]


def tie(explorer: Any, mine: str, widget: Any, its: str, show_error: ShowError) -> None:
    """Keep ``explorer``'s trait ``mine`` and ``widget``'s trait ``its`` the same; what is refused goes back."""

    def from_view(change: Any) -> None:
        if change["new"] is None and mine != "channel":
            return
        try:
            setattr(explorer, mine, change["new"])
        except Exception as error:
            show_error(error)
            setattr(widget, its, getattr(explorer, mine))

    widget.observe(from_view, its)
    explorer.observe(lambda change: setattr(widget, its, change["new"]), mine)


def guarded(handle: Callable[[Any], None], show_error: ShowError) -> Callable[[Any], None]:
    """``handle``, whose errors go to the view: nobody reads the kernel's log."""

    def safe(change: Any) -> None:
        try:
            handle(change)
        except Exception as error:
            show_error(error)

    return safe


def close_widget(widget: Any) -> None:
    """Close ``widget`` and let go of who listens to it."""
    widget.unobserve_all()
    widget.layout.close()  # ipywidgets closes a widget, and leaves its layout
    widget.close()
