"""Tabs of which one shows its panels."""

from __future__ import annotations

import traitlets

from cnnwidgets.widgets._base import CnnWidget, bundle


class PanelTabs(CnnWidget):
    """A row of tabs, put first into an ipywidgets box.

    Of the box's other children those are hidden that have the class ``cnnw-tab-NAME`` of a tab that is not ``active``.
    """

    _esm = bundle("panel_tabs")["esm"]
    _css = bundle("panel_tabs")["css"]

    tabs = traitlets.List(
        traitlets.List(traitlets.Unicode(), minlen=3, maxlen=3), help="[name, label, what it is for] of each tab."
    ).tag(sync=True)
    active = traitlets.Unicode("", help="Name of the tab whose panels are shown.").tag(sync=True)
    working = traitlets.List(traitlets.Unicode(), help="Names of the tabs in which something is being computed.").tag(
        sync=True
    )
