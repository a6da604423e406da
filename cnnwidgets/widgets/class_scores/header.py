"""The line over the bars: what the numbers are, and a search over all classes."""

from __future__ import annotations

import traitlets

from cnnwidgets.widgets._base import CnnWidget


class ClassScoresHeader(CnnWidget, folder="class_scores"):
    """Title, menu and class search of :class:`ClassScores`; also makes whole rows clickable."""

    target = traitlets.Int(None, allow_none=True, help="The class that is selected, or None.")
    score = traitlets.Enum(
        ["probability", "logit"], "probability", help="What the bars show: softmax, or the raw output."
    )
    kind = traitlets.Unicode(
        None, allow_none=True, help="What the scores are; see core.output_kinds. None: logits or probabilities."
    )
    remark = traitlets.Unicode("", help="What to know about the numbers beside the bars.")
    rows = traitlets.List(traitlets.Int(), help="Class of each bar, top to bottom.")
    names = traitlets.List(traitlets.Unicode(), help="Label of each bar, whole, top to bottom.")
    values = traitlets.List(traitlets.Unicode(), help="Number of each bar as text, top to bottom.")
    more = traitlets.Bool(False, help="Show 20 bars, not only the first few.")
    has_more = traitlets.Bool(False, help="Whether there are more classes than the first few.")
    message = traitlets.Unicode("No scores yet.", help="Shown in place of the bars; empty with bars.")
