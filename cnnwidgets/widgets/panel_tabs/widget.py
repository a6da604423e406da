"""Tabs of which one shows its panels."""

from __future__ import annotations

import traitlets

from cnnwidgets.widgets._base import CnnWidget


class PanelTabs(CnnWidget, folder="panel_tabs"):
    """A row of tabs, put first into an ipywidgets box.

    Of the box's other children those are hidden that have the class ``cnnw-tab-NAME`` of a tab that is not ``active``.
    """

    tabs = traitlets.List(
        traitlets.List(traitlets.Unicode(), minlen=3, maxlen=3), help="[name, label, what it is for] of each tab."
    )
    active = traitlets.Unicode("", help="Name of the tab whose panels are shown.")
    working = traitlets.List(traitlets.Unicode(), help="Names of the tabs in which something is being computed.")
