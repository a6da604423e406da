"""The places of one image that are estimated from those that were measured, and how well that works."""

from __future__ import annotations

import torch

from .kriging import CANDIDATES, Lengths, compared, fitting_lengths, weights

_FEWEST = 4
_GROWTH = 1.5


class Estimates:
    """Estimates, for one image, from the places that are known.

    Which places predict which, and how well, is learned from the scores of all classes together: it does not depend on
    the target, so that one sweep serves them all.

    Args:
        coordinates: (places, 2) float64, where the places are, in strides.
        known: the measured places whose scores are finite.
        measured: (places, K); only the rows of ``known`` are looked at.
        before: estimates from fewer places, whose lengths are kept until half as many again are known.

    Attributes:
        errors: (len(known),) how badly each is predicted from the others: the mean over classes of its squared error,
            where the variance of each class is one.
        lengths: see :data:`~cnnwidgets.explainers.occlusion.kriging.Lengths`.
        fitted: how many places were known when these were chosen.
        possible: whether enough is known to estimate anything.
    """

    def __init__(
        self, coordinates: torch.Tensor, known: list[int], measured: torch.Tensor, before: Estimates | None = None
    ) -> None:
        self.known, self._coordinates = known, coordinates
        self._at = coordinates[known]
        self.errors = torch.zeros(len(known), dtype=torch.float64)
        self.possible = len(known) > _FEWEST
        self.fitted, among = len(known), CANDIDATES
        if before is not None and before.possible and len(known) < _GROWTH * before.fitted:
            self.fitted, among = before.fitted, (before.lengths,)
        self.lengths: Lengths = among[0]
        if self.possible:
            self.lengths, self.errors = fitting_lengths(self._at, compared(measured[known]), among)

    def of(self, places: list[int], measured: torch.Tensor) -> torch.Tensor:
        """The scores (len(places), K) of ``places`` from the known rows of ``measured`` (places, K)."""
        return weights(self._coordinates[places], self._at, self.lengths).of(measured[self.known]).float()

    def error(self, measured: torch.Tensor) -> float:
        """The root mean square error, over the places that are not known, to be expected of one score.

        Leaving out a known place and predicting it from the others tells how large errors are, as a multiple of what
        kriging expects where it was left out; the places in between have nearer neighbours, so kriging expects less.

        Args:
            measured: (places,); only the known are looked at.
        """
        unknown = torch.ones(len(self._coordinates), dtype=torch.bool)
        unknown[self.known] = False
        if not self.possible or not bool(unknown.any()):
            return 0.0
        left_out = weights(self._at, self._at, self.lengths, leave_out=True)
        truth = measured[self.known].double()
        scale = ((left_out.of(truth[:, None])[:, 0] - truth) ** 2 / left_out.variance).mean()
        between = weights(self._coordinates[unknown], self._at, self.lengths)
        return float((scale * between.variance.mean()).sqrt())
