"""Estimate the scores at places that were not measured from those that were."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

Lengths = tuple[float, float]
"""How far the scores stay alike, down and across, in strides."""

_NEAREST = 12
CANDIDATES: tuple[Lengths, ...] = tuple((down, across) for down in (1.5, 2.5, 4.0) for across in (1.5, 2.5, 4.0))
_NUGGET = 2e-3
_MIXTURES = 64
_NUMBERS_AT_A_TIME = 1 << 22
_FEWEST = 4
_GROWTH = 1.5


@dataclass(frozen=True)
class Weights:
    """Estimates as weighted means of measured scores.

    Attributes:
        sources: (Q, m) int64: which measured scores each estimate is made of.
        shares: (Q, m) float64; each row sums to one.
        variance: (Q,) float64: how uncertain each estimate is, as a share of how much scores differ far apart.
    """

    sources: torch.Tensor
    shares: torch.Tensor
    variance: torch.Tensor

    def of(self, measured: torch.Tensor) -> torch.Tensor:
        """The estimates (Q, K) from measured scores (P, K); float64."""
        return functional.embedding_bag(self.sources, measured.double(), per_sample_weights=self.shares, mode="sum")


def kriging_weights(
    at: torch.Tensor,
    sites: torch.Tensor,
    lengths: Lengths,
    *,
    leave_out: bool = False,
    sources: torch.Tensor | None = None,
) -> Weights:
    """Ordinary kriging from the nearest measured places (Cressie 1993, "Statistics for spatial data", section 3.2).

    The covariance of two places is the product of two Matérn functions of smoothness 3/2, of the distance down and of
    that across: it fitted occlusion maps of an EfficientNet better than functions of the plain distance.

    Args:
        at: (Q, 2), where to estimate, in strides.
        sites: (P, 2), where it was measured.
        lengths: see :data:`Lengths`.
        leave_out: a place is not made of itself: ``at`` is then ``sites``.
        sources: what each estimate is to be made of, if they were looked for already.
    """
    if sources is None:
        sources = nearest(at, sites, leave_out)
    near, most = sites[sources], sources.shape[1]
    between = _covariance(near[:, :, None] - near[:, None, :], lengths)
    between = between + _NUGGET * torch.eye(most, dtype=torch.float64)
    towards = _covariance(near - at[:, None], lengths)
    # The last row and column make the shares sum to one, so that no mean has to be known.
    system = functional.pad(between, (0, 1, 0, 1), value=1.0)
    system[:, -1, -1] = 0.0
    solution = torch.linalg.solve(system, functional.pad(towards, (0, 1), value=1.0))
    shares = solution[:, :-1]
    return Weights(sources, shares, 1 + _NUGGET - (shares * towards).sum(1) - solution[:, -1])


def nearest(at: torch.Tensor, sites: torch.Tensor, leave_out: bool) -> torch.Tensor:
    """(Q, m) int64: the measured places nearest to each of ``at``."""
    most = min(_NEAREST, len(sites) - leave_out) + leave_out
    parts = torch.split(at, max(1, _NUMBERS_AT_A_TIME // max(1, len(sites))))
    indices = torch.cat([torch.cdist(part, sites).topk(most, largest=False).indices for part in parts])
    return indices[:, 1:] if leave_out else indices


def _covariance(apart: torch.Tensor, lengths: Lengths) -> torch.Tensor:
    scaled = apart.abs() * (math.sqrt(3) / torch.tensor(lengths, dtype=torch.float64))
    return ((1 + scaled) * torch.exp(-scaled)).prod(-1)


def fitting_lengths(
    sites: torch.Tensor, scaled: torch.Tensor, among: Sequence[Lengths] = CANDIDATES
) -> tuple[Lengths, torch.Tensor]:
    """The lengths with which the measured places predict one another best, and how well they then do.

    Args:
        sites: (P, 2), in strides.
        scaled: (P, K), see :func:`compared`.
        among: what to try.

    Returns:
        The lengths, and (P,) each place's squared error when it is predicted from the others.
    """
    sources = nearest(sites, sites, leave_out=True)
    tried = {
        lengths: (kriging_weights(sites, sites, lengths, sources=sources).of(scaled) - scaled).pow(2).sum(1)
        for lengths in among
    }
    best = min(tried, key=lambda lengths: float(tried[lengths].mean()))
    return best, tried[best]


def compared(measured: torch.Tensor) -> torch.Tensor:
    """Measured scores (P, K), so scaled that squared errors summed over columns are their mean over classes.

    Each class has a variance of one first. Of many classes, random mixtures are returned, which keep the squared
    errors on average (Johnson and Lindenstrauss 1984) and cost a fraction.
    """
    centred = measured.double()
    centred = centred - centred.mean(0)
    spread = centred.pow(2).mean(0).sqrt()
    useful = centred[:, spread > 0] / spread[spread > 0]
    classes = useful.shape[1]
    if classes > _MIXTURES:
        generator = torch.Generator().manual_seed(0)
        mix = torch.randn(classes, _MIXTURES, generator=generator, dtype=torch.float64)
        useful = useful @ (mix / math.sqrt(_MIXTURES))
    return useful / math.sqrt(max(1, classes))


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
        lengths: see :data:`Lengths`.
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
        return kriging_weights(self._coordinates[places], self._at, self.lengths).of(measured[self.known]).float()

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
        left_out = kriging_weights(self._at, self._at, self.lengths, leave_out=True)
        truth = measured[self.known].double()
        scale = ((left_out.of(truth[:, None])[:, 0] - truth) ** 2 / left_out.variance).mean()
        between = kriging_weights(self._coordinates[unknown], self._at, self.lengths)
        return float((scale * between.variance.mean()).sqrt())
