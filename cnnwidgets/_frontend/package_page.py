"""README as a package page can show it: nothing lies beside it there, and the project has no address to link to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURE_ROW = re.compile(r"^\| !\[[^\]]*\]\((?!https?:)[^)]+\) \|", re.MULTILINE)
PICTURE = re.compile(r"^!\[[^\]]*\]\((?!https?:)[^)]+\)\n\n?", re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]+\)")


def package_page(readme: str) -> str:
    """``readme`` without pictures and links that are relative; the links' text stays."""
    readme = PICTURE.sub("", PICTURE_ROW.sub("| |", readme))
    return LINK.sub(lambda link: link[1], readme)


class PageHook(MetadataHookInterface):
    """Makes the long description of the package."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Called by hatchling for each wheel and sdist."""
        text = package_page((Path(self.root) / "README.md").read_text(encoding="utf-8"))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
