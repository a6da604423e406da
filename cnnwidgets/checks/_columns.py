"""What checks measured as columns of a table."""

from __future__ import annotations

from typing import Any


def curve_columns(curves: Any) -> dict[str, list[Any]]:
    """Of a :class:`~cnnwidgets.checks.curves.Curves`: a row an image and fraction; at random, the means."""
    images, points = curves.deletion.shape
    random = {name: getattr(curves, name).mean(1) for name in ("random_deletion", "random_insertion")}
    scores = {"deletion": curves.deletion, "insertion": curves.insertion, **random}
    at = {"image": [image for image in range(images) for _ in range(points)]}
    at["fraction"] = curves.fractions.tolist() * images
    return {**at, **{name: values.flatten().tolist() for name, values in scores.items()}}


def stage_columns(stages: Any) -> dict[str, list[Any]]:
    """Of the stages of a randomisation: a row a stage and image."""
    rows = [(number, stage, image) for number, stage in enumerate(stages, 1) for image in range(len(stage.scores))]
    columns: dict[str, list[Any]] = {
        "stage": [number for number, _, _ in rows],
        "layer": [stage.layer for _, stage, _ in rows],
        "image": [image for _, _, image in rows],
    }
    for name in ("scores", "magnitude", "signed", "structure", "similarity"):
        columns[name.removesuffix("s")] = [float(getattr(stage, name)[image]) for _, stage, image in rows]
    return {**columns, "problem": [stage.problem for _, stage, _ in rows]}
