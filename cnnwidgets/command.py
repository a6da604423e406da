"""The command line: ``cnnwidgets report photo.jpg --model resnet50 --out report.html``."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .core.errors import CnnWidgetsError, InputError

if TYPE_CHECKING:
    from torch import nn

_INTERRUPTED = 130  # what a shell says of Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, or 2 with a sentence on what is wrong."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        sys.stdout.write(f"{options.out}: {_write(options)}\n")
    except CnnWidgetsError as error:
        sys.stderr.write(f"cnnwidgets: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"cnnwidgets: stopped; {options.out} is as it was.\n")
        return _INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cnnwidgets", description="Look inside convolutional networks.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    report = commands.add_parser(
        "report",
        help="write a page that opens without a kernel and without a network connection",
        description="Write one HTML file in which layers, classes and methods can be chosen, without a kernel and "
        "without a network connection. Nothing is downloaded.",
    )
    add = report.add_argument
    add("images", nargs="+", metavar="IMAGE", help="image files, or one folder of them")
    add("--model", default="demo", help='a name of torchvision or timm, or "demo" (the default)')
    add("--checkpoint", metavar="FILE", help="weights of the model: a state dict, read with weights_only=True")
    add("--out", default="report.html", metavar="FILE", help="what to write (default: report.html)")
    add("--layers", metavar="A,B", help="dotted names of layers (default: the network's blocks)")
    add("--classes", default="5", metavar="N or A,B", help="how many of the highest classes, or numbers or names")
    add("--methods", metavar="A,B", help="explainers (default: grad_cam,saliency)")
    add("--no-other-classes", action="store_true", help="leave out the class activation maps of all other classes")
    add("--quiet", action="store_true", help="no progress bar")
    return parser


def _write(options: argparse.Namespace) -> str:
    # Torch takes seconds to import: not for --help.
    from .reporting import report

    images = options.images[0] if len(options.images) == 1 else options.images
    if isinstance(images, list) and any(Path(image).is_dir() for image in images):
        raise InputError("Several images were given, one of them a folder; expected files, or one folder.")
    model, more = _model(options.model, options.checkpoint)
    page = report(
        model,
        images,
        options.out,
        layers=_comma_list(options.layers),
        classes=_class_choice(options.classes),
        methods=_comma_list(options.methods),
        other_classes=not options.no_other_classes,
        progress=not options.quiet,
        **more,
    )
    return page.summary


def _comma_list(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _class_choice(text: str) -> int | list[int | str]:
    """How many, or which: "5" are five, "5," is class 5."""
    if text.isdecimal():
        return int(text)
    return [int(name) if name.isdecimal() else name for name in _comma_list(text) or []]


def _model(name: str, checkpoint: str | None) -> tuple[nn.Module | None, dict[str, Any]]:
    """The network with its weights, and what else is known of it, as keywords of ``explore``."""
    if name == "demo":
        from . import demo

        if checkpoint is not None:
            raise InputError("--checkpoint is for a model of torchvision or timm: name it with --model.")
        loaded = demo.load()
        return loaded.model, {"labels": loaded.labels, "preprocess": loaded.preprocess}
    model, weights = _torchvision(name) or _timm(name) or (None, None)
    if model is None:
        raise InputError(f"No model {name!r}: neither torchvision nor timm, as far as they are installed, has one.")
    file = weights if checkpoint is None else Path(checkpoint)
    if file is None or not file.is_file():
        missing = f"There is no file {str(file)!r}" if checkpoint is not None else f"The weights of {name} are not here"
        where = f" ({file})" if file is not None and checkpoint is None else ""
        raise InputError(
            f"{missing}{where}, and nothing is downloaded. Download them with torchvision or timm, or pass a file of "
            "weights: --checkpoint FILE."
        )
    _load(model, file, name)
    return model.eval(), {}


def _torchvision(name: str) -> tuple[nn.Module, Path | None] | None:
    try:
        from torch import hub
        from torchvision import models
    except ImportError:
        return None
    if name not in models.list_models():
        return None
    takes = inspect.signature(models.get_model_builder(name)).parameters
    # Those of detectors and segmentation networks would be downloaded.
    options = {"weights_backbone": None} if "weights_backbone" in takes else {}
    weights = models.get_model_weights(name).DEFAULT
    folder = Path(hub.get_dir()) / "checkpoints"
    return models.get_model(name, weights=None, **options), folder / Path(weights.url).name


def _timm(name: str) -> tuple[nn.Module, Path | None] | None:
    try:
        import timm
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    if not timm.is_model(name):
        return None
    model = timm.create_model(name, pretrained=False)
    configuration: Any = model.pretrained_cfg
    hub = configuration.get("hf_hub_id") or ""
    cached = try_to_load_from_cache(hub, "model.safetensors") if hub else None
    return model, Path(cached) if isinstance(cached, str) else None


def _load(model: nn.Module, file: Path, name: str) -> None:
    """Put the weights in ``file`` into ``model``.

    Raises:
        InputError: it holds something else, or they do not fit.
    """
    import torch

    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(file)
        else:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"{str(file)!r} cannot be read as weights alone ({type(error).__name__}). Save it with "
            "torch.save(model.state_dict(), path)."
        ) from error
    for key in ("state_dict", "model"):
        content = content.get(key, content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise InputError(f"{str(file)!r} holds no state dict. Save it with torch.save(model.state_dict(), path).")
    state = {key.removeprefix("module."): value for key, value in content.items()}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"The weights in {str(file)!r} are not those of {name}: {reason}") from error


if __name__ == "__main__":
    sys.exit(main())
