"""Docstrings as the documentation shows them: reStructuredText's marks as Markdown, and traits with their help."""

from __future__ import annotations

import ast
import re
from typing import Any

from griffe import (
    Alias,
    AliasResolutionError,
    Attribute,
    Docstring,
    Extension,
    Function,
    GriffeLoader,
    Module,
    NameResolutionError,
    Object,
    get_logger,
)

LITERAL = re.compile(r"``(.+?)``", re.DOTALL)
ROLE = re.compile(r":(?:func|class|meth|mod|data|attr|exc):`(~?)\.?([^`]+)`")
ARGUMENTS = re.compile(r"^(?:Args|Arguments|Raises):\n(?: +.*\n?)+", re.MULTILINE)
SHARED = re.compile(r"^( +)(\w+(?:, \w+)+)(: .*(?:\n\1 +.*)*)", re.MULTILINE)
"""An entry for several arguments, or errors, at once: indent, their names, what is said of them."""
log = get_logger(__name__)


class Docstrings(Extension):
    """Traits get their ``help`` as docstring when they are read, and all docstrings are rewritten once all is read."""

    def on_attribute_instance(self, *, node: ast.AST, attr: Attribute, **_: Any) -> None:
        trait = _trait(getattr(node, "value", None))
        if trait is None:
            return
        helps = [key for key in trait.keywords if key.arg == "help"]
        if helps and attr.docstring is None:
            attr.docstring = Docstring(ast.literal_eval(helps[0].value), parent=attr, lineno=attr.lineno)
        trait.keywords = [key for key in trait.keywords if key.arg != "help"]
        attr.value = ast.unparse(trait)

    def on_package(self, *, pkg: Module, loader: GriffeLoader, **_: Any) -> None:
        _rewrite(pkg, loader)


def _trait(value: ast.AST | None) -> ast.Call | None:
    """The call that makes a trait, in ``traitlets.Int(0, help="...").tag(sync=True)`` say."""
    while isinstance(value, ast.Call):
        if ast.unparse(value.func).startswith("traitlets.") and not isinstance(value.func.value, ast.Call):
            return value
        value = value.func.value if isinstance(value.func, ast.Attribute) else None
    return None


def _rewrite(scope: Object, loader: GriffeLoader) -> None:
    if scope.docstring is not None:
        text = LITERAL.sub(r"`\1`", scope.docstring.value).replace("\nExample:\n", "\nExamples:\n")
        text = ARGUMENTS.sub(lambda section: SHARED.sub(_each, section[0]), text)
        scope.docstring.value = ROLE.sub(lambda match: _linked(match, scope, loader), text)
    if isinstance(scope, Function):
        for parameter in [one for one in scope.parameters if one.name.startswith("_")]:
            del scope.parameters[parameter.name]
    for member in scope.members.values():
        if not isinstance(member, Alias):
            _rewrite(member, loader)


def _each(entry: re.Match[str]) -> str:
    """An entry for each of the arguments, as griffe compares them with the signature."""
    indent, names, text = entry.groups()
    return "\n".join(f"{indent}{name}{text}" for name in names.split(", "))


def _linked(role: re.Match[str], scope: Object, loader: GriffeLoader) -> str:
    """A role as a link, which is only text where no page shows its target."""
    short, name = role.groups()
    path = _path(name, scope, loader)
    if path is None:
        log.warning(f"{scope.path} refers to {name}, which is not there.")
        path = name
    label = name.rpartition(".")[2] if short else name
    return f'<autoref identifier="{path}" optional><code>{label}</code></autoref>'


def _path(name: str, scope: Object, loader: GriffeLoader) -> str | None:
    first, _, rest = name.partition(".")
    try:
        start = first if first in loader.modules_collection else scope.resolve(first)
        target = loader.modules_collection[f"{start}.{rest}" if rest else start]
        return target.canonical_path
    except (NameResolutionError, AliasResolutionError, KeyError):
        return None
