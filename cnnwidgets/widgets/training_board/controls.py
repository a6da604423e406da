"""The part of a training board that lives in the page: buttons, curves, the slider back, the table of numbers."""

from __future__ import annotations

from collections.abc import Callable

import traitlets

from cnnwidgets.widgets._base import CnnWidget, nobody_listens
from cnnwidgets.widgets._messages import command

STATES = ("ready", "running", "paused", "stopped")


class TrainingControls(CnnWidget, folder="training_board"):
    """Pause, resume and stop; the curves; the slider back; the numbers as text."""

    layer = traitlets.Unicode("", help="Dotted name of the layer on show.")
    state = traitlets.Enum(
        STATES, "ready", help="No step yet, at work, to wait at the next step, or to end at the next step."
    )
    headline = traitlets.Unicode("", help="The newest numbers in words.")
    steps = traitlets.List(traitlets.Int(min=0), help="The steps that can be looked back at, ascending.")
    labels = traitlets.List(traitlets.Unicode(), help='The same for a reader: "epoch 3".')
    at = traitlets.Int(None, min=0, allow_none=True, help="The step on show; None: always the newest.")
    images = traitlets.List(traitlets.Unicode(), help="Names of the images whose maps there are.")
    image = traitlets.Int(0, min=0, help="Which of them is on show.")
    notes = traitlets.List(traitlets.Unicode(), help="What else to know.")

    on_pause: Callable[[], object] = nobody_listens
    on_resume: Callable[[], object] = nobody_listens
    on_stop: Callable[[], object] = nobody_listens

    @command("pause")
    def _paused(self) -> None:
        self.on_pause()

    @command("resume")
    def _resumed(self) -> None:
        self.on_resume()

    @command("stop")
    def _stopped(self) -> None:
        self.on_stop()

    @traitlets.validate("image")
    def _is_an_image(self, proposal: dict[str, int]) -> int:
        index = proposal["value"]
        if index and index >= len(self.images):
            raise traitlets.TraitError(f"There is no image {index}: there are {len(self.images)}.")
        return index
