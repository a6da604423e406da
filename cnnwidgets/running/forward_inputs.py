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
    required = [entry for entry in parameters if entry.default is entry.empty and entry.kind in _PLAIN]
    keywords = [entry for entry in parameters if entry.default is entry.empty and entry.kind is entry.KEYWORD_ONLY]
    if isinstance(error, TypeError) and (len(required) > 1 or (required and keywords)):
        return _several(name, [entry.name for entry in required], [entry.name for entry in keywords])
    optional = [entry.name for entry in parameters if entry.default is None and entry.kind in _PLAIN]
    if "NoneType" in str(error) and len(required) == 1 and optional:  # it cannot do without
        return _several(name, [required[0].name, *optional], [entry.name for entry in keywords])
    takes_none = not any(entry.kind in (*_PLAIN, entry.VAR_POSITIONAL) for entry in parameters)
    if isinstance(error, TypeError) and takes_none and any(entry.kind is entry.KEYWORD_ONLY for entry in parameters):
        first, *others = [entry.name for entry in keywords or parameters]
        return _several(name, [], [first, *others])
    container = _expected_container(parameters[0]) if parameters else ""
    if container:
        raised = f"{type(error).__name__}: {error}"
        opening = f"{name}.forward takes {container[0]}, not a tensor of images ({raised}). Wrap it"
        return _wrapping(opening, [], container[1], parameters[0].name)
    return ""


def _several(owner: str, required: list[str], keywords: list[str]) -> str:
    image, *others = [*required, *keywords]
    by_name = [f"{name}={image if name == image else f'self.{name}'}" for name in keywords]
    call = ", ".join([*(name if name == image else f"self.{name}" for name in required), *by_name])
    if not others:
        return _wrapping(f"{owner}.forward takes its image by name only, as {image}=. Wrap it", [], call, image)
    listed = f"{', '.join([image, *others[:-1]])} and {others[-1]}"
    opening = f"{owner}.forward takes more than an image: {listed}. The other inputs must be held fixed; wrap it"
    return _wrapping(opening, others, call, image)


def _wrapping(opening: str, others: list[str], call: str, image: str) -> str:
    names = ", ".join(["model", *others])
    attributes = ", ".join(f"self.{name}" for name in ["model", *others])
    return (
        f"{opening}:\n\n"
        "    class OneInput(nn.Module):\n"
        f"        def __init__(self, {names}): super().__init__(); {attributes} = {names}\n"
        f"        def forward(self, {image}): return self.model({call})\n\n"
        f"and pass OneInput({names}) for the model."
    )


def _expected_container(parameter: inspect.Parameter) -> tuple[str, str] | None:
    """What a parameter says that it takes instead of a tensor, and how to make it of one: by its annotation."""
    annotation = parameter.annotation if isinstance(parameter.annotation, str) else str(parameter.annotation)
    annotation = annotation.lower() if parameter.annotation is not parameter.empty else ""
    if "dict" in annotation or "mapping" in annotation:
        return "a mapping", f'{{"image": {parameter.name}}}'
    if ("list" in annotation or "tuple" in annotation or "sequence" in annotation) and "tensor" in annotation:
        return "a list of images", f"list({parameter.name})"
    return None
