"""The line over the bars: what the numbers are, and a search over all classes."""

from __future__ import annotations

from collections.abc import Callable

import traitlets

from cnnwidgets.widgets._base import CnnWidget, nobody_listens
from cnnwidgets.widgets._messages import command


class ClassScoresHeader(CnnWidget, folder="class_scores"):
    """Title, menu and class search of :class:`ClassScores`; also makes whole rows clickable.

    ``on_follow`` is called when the class with the highest score is to be followed again.
    """

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
    explains = traitlets.Unicode("", help="Which class is explained, and why it is that one; may be empty.")
    chosen = traitlets.Bool(False, help="Somebody chose it: a button offers to follow the highest score again.")
    message = traitlets.Unicode("No scores yet.", help="Shown in place of the bars; empty with bars.")

    on_follow: Callable[[], object] = nobody_listens

    @command("follow")
    def _followed(self) -> None:
        self.on_follow()
