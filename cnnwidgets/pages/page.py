"""One file that opens from a disk, with the widgets' own code and all that was recorded of them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.widgets._base import bundle

WIDGETS = {
    "bar": "explorer_bar",
    "graph": "architecture_graph",
    "overlay": "heatmap_overlay",
    "scores": "class_scores",
    "maps": "feature_maps",
}
"""What a page's own code calls a widget, and the widget's folder."""
_PAGE = "page"
# What esbuild ends a module with; in a page nobody can import from an inline script.
_EXPORT = re.compile(r"export\{(?:[^{}]*,)?([\w$]+) as default[^{}]*\};\s*$")


@dataclass(frozen=True)
class ReportPage:
    """A page that lives without a kernel, not yet written: look at :attr:`size` first, then :meth:`save` it.

    Attributes:
        counts: what is in it, noun -> how many.
    """

    text: str = field(repr=False)
    counts: Mapping[str, int]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.text.encode())

    @property
    def summary(self) -> str:
        """The size and what is in it: "3.1 MB: 17 layers, 5 classes, 3 methods"."""
        size = f"{self.size / 1e6:.1f} MB" if self.size >= 1e6 else f"{self.size / 1e3:.0f} KB"
        ends = {noun: "" if count == 1 else "es" if noun.endswith("s") else "s" for noun, count in self.counts.items()}
        parts = [f"{count} {noun}{ends[noun]}" for noun, count in self.counts.items()]
        return f"{size}: {', '.join(parts)}"

    def __repr__(self) -> str:
        return f"ReportPage({self.summary})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page. A file of that name is replaced once all is written; where that fails it stays.

        Raises:
            CnnWidgetsError: it cannot be written; says why.
        """
        target = Path(path)
        temporary = None
        try:
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", newline="\n", dir=target.parent, prefix=f".{target.name}.", delete=False
            ) as file:
                temporary = Path(file.name)
                file.write(self.text)
            temporary.chmod(_mode_of(target))
            temporary.replace(target)
        except OSError as error:
            raise CnnWidgetsError(
                f"The page was not written to {str(target)!r}: {error.strerror or error}. What was there is as it was."
            ) from error
        finally:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)


def _mode_of(target: Path) -> int:
    """Permissions of the file that is replaced, or those of a new one."""
    with contextlib.suppress(OSError):
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def page_of(payload: str, title: str, counts: Mapping[str, int]) -> ReportPage:
    """A page around ``payload``, what :meth:`Arrays.payload` makes: no label of a network is in any other part of it.

    The content security policy allows what is in the file by hash, no request to anywhere, and nothing that is made
    of a string.
    """
    scripts = [_handed_over(name, bundle(folder)["esm"].read_text("utf-8")) for name, folder in WIDGETS.items()]
    scripts.append(bundle(_PAGE)["esm"].read_text("utf-8"))
    style = "\n".join(bundle(folder)["css"].read_text("utf-8") for folder in (*WIDGETS.values(), _PAGE))
    for part in (*scripts, style):
        if "</script" in part.lower() or "<!--" in part or "</style" in part.lower():
            raise CnnWidgetsError("A bundle of cnnwidgets cannot stand in a page: build it anew.")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {_hash(style)}",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    parts = [
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(title)}</title>",
        f"<style>{style}</style>",
        '<main id="cnnw-page"><p>This page needs JavaScript, and a browser of 2023 or later.</p></main>',
        f'<script type="text/plain" id="cnnw-recording">{payload}</script>',
        *(f'<script type="module">{script}</script>' for script in scripts),
        "</html>\n",
    ]
    return ReportPage("\n".join(parts), counts)


def _handed_over(name: str, module: str) -> str:
    """A widget's bundle that hands its default export to the page's own code."""
    if not _EXPORT.search(module):
        raise CnnWidgetsError(f"The bundle of {name} has no default export: build it anew.")
    return _EXPORT.sub(lambda match: f'(globalThis.cnnwPage??={{}})["{name}"]={match[1]};', module)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
