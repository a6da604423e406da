"""How much JavaScript and CSS a page with every widget loads."""

from __future__ import annotations

from cnnwidgets.widgets._base import STATIC

from .table import Row

# The first hour (legible maps, settings, crop, keyboard, kernel gone) took 18 KB on top of what was 270.
# What a filter does took five more widgets (kernels, gallery, panel, ranking, sum), 125 KB with what all of them share.
# The exercise is 13 KB, stepper and image input 65, the training view 20; most of each is what widgets share.
# The board over two networks is 15 KB, the stepper's Save 8; most of each is what widgets share.
# The sheet of every front end's themes is 2 KB in each of the 17 widgets' own.
# Save of a check and of an image, and the names of compared graphs, are 15 KB, the drawing of a sheet most of it.
LIMIT = 630_000
LIMIT_OF_ONE = 68_000


def bundle_bytes() -> dict[str, int]:
    """File name -> bytes, of every built bundle but that of saved pages, which no notebook loads."""
    bundles = [file for file in sorted(STATIC.iterdir()) if file.suffix in (".js", ".css") and file.stem != "page"]
    return {file.name: file.stat().st_size for file in bundles}


def measure() -> list[Row]:
    """One row."""
    total = sum(bundle_bytes().values())
    return [Row("all JS and CSS bundles together", f"{total / 1000:.1f} KB", f"< {LIMIT // 1000} KB", total < LIMIT)]
