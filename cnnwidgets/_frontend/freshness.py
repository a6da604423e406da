"""Whether the built bundles belong to the sources: by hash, since copying a tree changes its times."""

from __future__ import annotations

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent.parent
STAMP = PACKAGE / "static" / ".sources"


def has_sources() -> bool:
    """False in an installed wheel or a stripped tree, where only the bundles are."""
    return (PACKAGE / "_frontend" / "build.mjs").exists() and any((PACKAGE / "widgets").glob("*/widget.ts"))


def digest() -> str:
    """One hash over everything that the bundles are made from."""
    widgets = PACKAGE / "widgets"
    folders = (widgets, PACKAGE / "pages")
    sources = [path for folder in folders for kind in ("*.ts", "*.css", "*.json") for path in folder.rglob(kind)]
    sources += [PACKAGE / "_frontend" / name for name in ("build.mjs", "package-lock.json", "tsconfig.json")]
    total = hashlib.sha256()
    for path in sorted(sources):
        content = path.read_bytes()
        total.update(f"{path.relative_to(PACKAGE).as_posix()} {len(content)}\n".encode() + content)
    return total.hexdigest()


def expected() -> list[Path]:
    """The bundles there must be."""
    names = sorted(path.parent.name for path in (PACKAGE / "widgets").glob("*/widget.ts"))
    return [PACKAGE / "static" / f"{name}.{kind}" for name in [*names, "page"] for kind in ("js", "css")]


def is_fresh() -> bool:
    """Whether nothing needs to be built."""
    if not has_sources():
        return True
    return STAMP.exists() and STAMP.read_text() == digest() and all(path.exists() for path in expected())


def mark_fresh() -> None:
    """Remember what the bundles were built from."""
    STAMP.write_text(digest())
