"""Every timm family at its smallest, each in a process of its own, judged by plain hooks and plain loops.

``python -m tests.sweeps.timm_families [--only resnet,dla] [--out results.jsonl]`` takes about an hour on one core.
A family is a module of ``timm.models``; its model is that with the fewest parameters. A line a family: "right", or
what differs, or the sentence with which cnnwidgets refuses.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import get_gradient_edge

SIZES = (96, 128, 160, 192, 224, 240, 256, 288, 384, 448, 512)
LIMIT = 240
"""Seconds a family."""
_CHOOSE = 15
"""Seconds for finding the smallest model of a family."""
_SMALL = [
    "test",
    "zepto",
    "atto",
    "femto",
    "pico",
    "nano",
    "xxtiny",
    "xxt",
    "xxs",
    "xx_small",
    "tiny",
    "mini",
    "s0",
    "m0",
    "t0",
    "b0",
    "small",
    "18",
    "050",
    "_t",
    "_s",
]


def families() -> dict[str, list[str]]:
    """Module of timm.models -> its models."""
    import timm
    from timm.models import _registry

    known = set(timm.list_models())
    found = {module: sorted(set(names) & known) for module, names in _registry._module_to_models.items()}
    return {module: names for module, names in sorted(found.items()) if names}


def smallest(names: list[str]) -> str:
    """The model with the fewest parameters, of those that can be counted in that time; small names come first."""
    import timm

    began, counts = time.monotonic(), {}

    def place(name: str) -> int:
        return next((at for at, word in enumerate(_SMALL) if word in name), len(_SMALL))

    for name in sorted(names, key=place):
        try:
            with torch.device("meta"):
                model = timm.create_model(name, pretrained=False)
        except Exception:  # noqa: S112 (some cannot be made without numbers)
            continue
        counts[name] = sum(value.numel() for value in model.parameters())
        if time.monotonic() - began > _CHOOSE:
            break
    return min(counts, key=counts.__getitem__) if counts else names[0]


def workable(name: str) -> tuple[nn.Module, torch.Tensor]:
    """The model, and an image of the smallest size that it takes."""
    import timm

    error: Exception | None = None
    for size in SIZES:
        options: Any
        for options in ({}, {"img_size": size}):
            torch.manual_seed(0)
            try:
                model: Any = timm.create_model(name, pretrained=False, **options).eval()
                channels = int(model.default_cfg["input_size"][0])
                image = torch.rand(1, channels, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1
                with torch.no_grad():
                    model(image.clone())
            except Exception as raised:
                error = raised
            else:
                return model, image
    raise RuntimeError(f"no size works: {error}")


@contextmanager
def hooked(model: nn.Module) -> Iterator[dict[str, list[tuple[torch.Tensor, Any]]]]:
    """Each module's tensors: a copy as they were returned, and where the gradient for what comes after arrives."""
    outputs: dict[str, list[tuple[torch.Tensor, Any]]] = {}
    handles = []
    for name, module in model.named_modules():

        def keep(_: nn.Module, __: Any, output: Any, name: str = name) -> Any:
            if not isinstance(output, torch.Tensor):
                return None
            # Of its own, also where the layer hands its input on; an in-place operation behind writes to it.
            handed_on = output.clone()
            edge = get_gradient_edge(handed_on) if handed_on.requires_grad else None
            outputs.setdefault(name, []).append((output.detach().clone(), edge))
            return handed_on

        if name:
            handles.append(module.register_forward_hook(keep))
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def by_hooks(model: nn.Module, image: torch.Tensor) -> tuple[int, dict[str, tuple[torch.Tensor, torch.Tensor | None]]]:
    """The predicted class, and for each module's last call its output and gradient, by hooks alone."""
    with torch.enable_grad(), hooked(model) as outputs:
        scores = model(image.clone().requires_grad_())
        scores = scores[0] if isinstance(scores, tuple | list) else scores
        target = int(scores[0].argmax())
        last = {name: calls[-1] for name, calls in outputs.items() if calls[-1][1] is not None}
        slopes = torch.autograd.grad(scores[0, target], [edge for _, edge in last.values()], allow_unused=True)
    return target, {name: (value, slope) for (name, (value, _)), slope in zip(last.items(), slopes, strict=True)}


def plain_cam(value: torch.Tensor, slope: torch.Tensor, *, shape: tuple[int, ...]) -> torch.Tensor | None:
    """(h, w) Grad-CAM of maps (1, C, h, w), (1, h, w, C), or tokens (1, T, C) whose last h*w are the grid."""
    if value.ndim == 4 and tuple(value.shape[2:]) == shape:
        return torch.einsum("k,khw->hw", slope[0].mean((1, 2)), value[0])
    if value.ndim == 4 and tuple(value.shape[1:3]) == shape:
        return torch.einsum("k,hwk->hw", slope[0].mean((0, 1)), value[0])
    places = shape[0] * shape[1]
    if value.ndim == 3 and value.shape[1] >= places:
        value, slope = value[0, -places:], slope[0, -places:]
        return (value @ slope.mean(0)).reshape(shape)
    return None


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    return float((one - other).abs().max() / other.abs().max().clamp(min=1e-30))


def judged(name: str) -> dict[str, Any]:
    """What cnnwidgets says of one model, beside what hooks and loops say."""
    model, image = workable(name)
    size = image.shape[-1]
    says: dict[str, Any] = {"model": name, "size": size, "params": sum(p.numel() for p in model.parameters())}
    target, truth = by_hooks(model, image)
    for what, check in (
        ("trace", _trace), ("grad_cam", _grad_cam), ("eigen_cam", _eigen_cam), ("every_layer", _every),
        ("occlusion", _occlusion),
    ):  # fmt: skip
        began = time.monotonic()
        try:
            says[what] = check(model, image, target, truth)
        except Exception as error:
            says[what] = f"{type(error).__name__}: {error}"
        says[f"{what}_s"] = round(time.monotonic() - began, 1)
    return says


def _trace(model: nn.Module, image: torch.Tensor, *_: Any) -> str:
    from cnnwidgets import trace

    architecture = trace(model, image)
    ours, theirs = architecture.total_params, sum(value.numel() for value in model.parameters())
    return "right" if ours == theirs and architecture.total_macs > 0 else f"{ours} parameters for {theirs}"


def _grad_cam(model: nn.Module, image: torch.Tensor, target: int, truth: Any) -> str:
    from cnnwidgets import explainers

    result = explainers.grad_cam(model, image, target)
    last = [key for key, (value, slope) in truth.items() if slope is not None and value.ndim == 4
            and value.shape[2] * value.shape[3] > 1]  # fmt: skip
    said = f"layer {result.layer}, last by hooks {last[-1] if last else None}"
    if result.layer not in truth or truth[result.layer][1] is None:
        return f"not checked: {said}"
    plain = plain_cam(*truth[result.layer], shape=tuple(result.values.shape[1:]))
    if plain is None:
        return f"not checked: {said}, shape {tuple(truth[result.layer][0].shape)}"
    gap = apart(result.values[0], plain)
    return f"{'right' if gap < 1e-3 else f'WRONG by {gap:.2g}'}: {said}; notes: {'; '.join(result.notes)}"


def _eigen_cam(model: nn.Module, image: torch.Tensor, target: int, _: Any) -> str:
    from cnnwidgets import explainers

    one, other = (getattr(explainers, method)(model, image, target).layer for method in ("eigen_cam", "grad_cam"))
    return "right" if one == other else f"WRONG: layer {one}, grad_cam takes {other}"


def _every(model: nn.Module, image: torch.Tensor, target: int, truth: Any) -> str:
    from cnnwidgets import explainers

    results = explainers.every_layer("grad_cam", model, image, target)
    wrong, compared = [], 0
    for key, result in results.items():
        if key in truth and truth[key][1] is not None:
            plain = plain_cam(*truth[key], shape=tuple(result.values.shape[1:]))
            if plain is not None:
                compared += 1
                if apart(result.values[0], plain) > 1e-3 and float(plain.abs().max()) > 1e-12:
                    wrong.append(key)
    maps = [key for key, (value, slope) in truth.items() if slope is not None and value.ndim == 4
            and value.shape[2] * value.shape[3] > 1 and value.shape[0] == 1]  # fmt: skip
    missing = [key for key in maps if key not in results]
    said = f"{len(results)} layers, {compared} compared, missing {len(missing)} {missing[:3]}"
    return f"WRONG in {len(wrong)} {wrong[:4]}: {said}" if wrong else f"right: {said}"


def _occlusion(model: nn.Module, image: torch.Tensor, target: int, _: Any) -> str:
    from cnnwidgets import explainers

    patch = image.shape[-1] // 4
    result = explainers.occlusion(model, image, target, patch=patch, stride=patch, score="logit")
    rows = []
    with torch.no_grad():
        for top, left in result.positions:
            edited = image.clone()
            edited[:, :, top : top + patch, left : left + patch] = 0
            rows.append(float(model(edited)[0, target]))
    plain = torch.tensor(rows).view(result.grid.shape[1:])
    spread = float(max(plain.max(), result.baseline[0]) - min(plain.min(), result.baseline[0]))
    rounding = 1e-4 * float(plain.abs().max())  # random weights hardly react
    gap = float((result.grid[0] - plain).abs().max()) / max(spread, rounding, 1e-12)
    told = f"{result.engine if hasattr(result, 'engine') else ''}; notes: {'; '.join(result.notes)}"
    return f"{'right' if gap < 1e-2 else f'WRONG by {gap:.2g} of {spread:.2g}'}: {told}"


def main(arguments: list[str] | None = None, run: Callable[..., Any] = subprocess.run) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="modules of timm.models, with commas")
    parser.add_argument("--out", default="timm_families.jsonl")
    parser.add_argument("--one", help="judge this module here, and print it")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    if options.one:
        torch.set_num_threads(1)
        print(json.dumps(judged(smallest(families()[options.one]))))
        return
    some = [name for name in options.only.split(",") if name] or list(families())
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with Path(options.out).open("a") as out:
        for module in some:
            command = [sys.executable, "-m", "tests.sweeps.timm_families", "--one", module]
            try:
                done = run(command, capture_output=True, text=True, timeout=LIMIT, env=environment)
                line = done.stdout.strip().splitlines()[-1:] or [json.dumps({"error": done.stderr[-400:]})]
            except subprocess.TimeoutExpired:
                line = [json.dumps({"error": f"more than {LIMIT} s"})]
            out.write(json.dumps({"family": module, **json.loads(line[0])}) + "\n")
            out.flush()


if __name__ == "__main__":
    main()
