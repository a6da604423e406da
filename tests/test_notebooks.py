"""What a student reads and finds in the notebooks; that the cells run is nbval's to tell."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_hold_what_students_need(path: Path) -> None:
    book = nbformat.read(path, 4)
    code = [cell.source for cell in book.cells if cell.cell_type == "code"]
    assert len(code) > 5
    for source in code:
        # Checks are in tags and tests; what is shown stays on show.
        for word in ("NBVAL", "noqa", "assert ", ".close(", "unregister"):
            assert word not in source, source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_jupyterlab_finds_the_kernel_as_the_file_says(path: Path) -> None:
    from ipykernel.kernelspec import get_kernel_dict

    book = nbformat.read(path, 4)
    kernel = get_kernel_dict()
    # What differs JupyterLab puts into the notebook when it is opened, which then is one to be saved.
    assert book.metadata.kernelspec == {
        "name": "python3",
        "display_name": kernel["display_name"],
        "language": kernel["language"],
    }
    assert {"name", "version", "file_extension"} <= book.metadata.language_info.keys()


def test_methods_stand_side_by_side() -> None:
    book = nbformat.read(next(path for path in NOTEBOOKS if path.stem == "02_methods"), 4)
    assert any("cw.Comparison.of(" in cell.source for cell in book.cells)
