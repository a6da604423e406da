"""What to say of a model whose forward takes more than one image, or takes it in another way."""

from __future__ import annotations

import inspect

from torch import nn

_PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def wrapping_advice(model: nn.Module, error: Exception) -> str:
    """How to wrap ``model`` so that it takes an image alone; empty where its forward does, or ``error`` is another.

    Args:
        model: a module that was called with one tensor.
        error: what that raised.

    Example:
        >>> class Two(nn.Module):
        ...     def forward(self, image, depth):
        ...         return image + depth
        >>> print(wrapping_advice(Two(), TypeError("forward() missing 1 required positional argument: 'depth'")))
        Two.forward takes more than an image: image and depth. The other inputs must be held fixed; wrap it:
        <BLANKLINE>
            class OneInput(nn.Module):
                def __init__(self, model, depth): super().__init__(); self.model, self.depth = model, depth
                def forward(self, image): return self.model(image, self.depth)
        <BLANKLINE>
        and pass OneInput(model, depth) for the model.
    """
    try:
        parameters = list(inspect.signature(model.forward).parameters.values())
    except (TypeError, ValueError):
        return ""
    name = type(model).__name__
    required = [one for one in parameters if one.default is one.empty and one.kind in _PLAIN]
    keywords = [one for one in parameters if one.default is one.empty and one.kind is one.KEYWORD_ONLY]
    if isinstance(error, TypeError) and (len(required) > 1 or (required and keywords)):
        return _several(name, [one.name for one in required], [one.name for one in keywords])
    optional = [one.name for one in parameters if one.default is None and one.kind in _PLAIN]
    if "NoneType" in str(error) and len(required) == 1 and optional:  # it cannot do without
        return _several(name, [required[0].name, *optional], [one.name for one in keywords])
    takes_none = not any(one.kind in (*_PLAIN, one.VAR_POSITIONAL) for one in parameters)
    if isinstance(error, TypeError) and takes_none and any(one.kind is one.KEYWORD_ONLY for one in parameters):
        first, *others = [one.name for one in keywords or parameters]
        return _several(name, [], [first, *others])
    container = _container(parameters[0]) if parameters else ""
    if container:
        return (
            f"{name}.forward takes {container[0]}, not a tensor of images ({type(error).__name__}: {error}). "
            "Wrap it:\n\n"
            + _module("model", "", f"self.model({container[1]})", parameters[0].name)
            + "\n\nand pass OneInput(model) for the model."
        )
    return ""


def _several(name: str, required: list[str], keywords: list[str]) -> str:
    image, *others = [*required, *keywords]
    by_name = [f"{one}={image if one == image else f'self.{one}'}" for one in keywords]
    call = ", ".join([*(one if one == image else f"self.{one}" for one in required), *by_name])
    if not others:
        return (
            f"{name}.forward takes its image by name only, as {image}=. Wrap it:\n\n"
            + _module("model", "", f"self.model({call})", image)
            + "\n\nand pass OneInput(model) for the model."
        )
    listed = f"{', '.join([image, *others[:-1]])} and {others[-1]}"
    given = ", ".join(others)
    return (
        f"{name}.forward takes more than an image: {listed}. The other inputs must be held fixed; wrap it:\n\n"
        + _module("model", given, f"self.model({call})", image)
        + f"\n\nand pass OneInput(model, {given}) for the model."
    )


def _module(model: str, others: str, call: str, image: str) -> str:
    names = [model, *(others.split(", ") if others else [])]
    held = f"{', '.join(f'self.{one}' for one in names)} = {', '.join(names)}"
    return (
        "    class OneInput(nn.Module):\n"
        f"        def __init__(self, {', '.join(names)}): super().__init__(); {held}\n"
        f"        def forward(self, {image}): return {call}"
    )


def _container(parameter: inspect.Parameter) -> tuple[str, str] | None:
    """What a parameter says that it takes instead of a tensor, and how to make it of one: by its annotation."""
    said = parameter.annotation if isinstance(parameter.annotation, str) else str(parameter.annotation)
    said = said.lower() if parameter.annotation is not parameter.empty else ""
    if "dict" in said or "mapping" in said:
        return "a mapping", f'{{"image": {parameter.name}}}'
    if ("list" in said or "tuple" in said or "sequence" in said) and "tensor" in said:
        return "a list of images", f"list({parameter.name})"
    return None
