"""What a student reads and finds in the notebooks; that the cells run is nbval's to tell."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PACKAGES = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn"}


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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_binder_and_make_demo_install_what_a_notebook_imports(path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [*project["dependencies"], *project["optional-dependencies"]["demo"]]
    installed = {re.split(r"[<>=\[;]", requirement)[0] for requirement in requirements} | {"cnnwidgets"}
    assert ".[demo]" in (ROOT / "binder" / "requirements.txt").read_text().splitlines()
    code = "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code")
    for node in ast.walk(ast.parse(code)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            module = name.partition(".")[0]
            assert module in sys.stdlib_module_names or PACKAGES.get(module, module) in installed, name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_notebook_is_told_of_with_a_small_picture(path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    pictures = re.findall(rf"!\[([^\]]+)\]\((docs/lessons/\S+)\) \| \[[^\]]+\]\(notebooks/{path.name}\)", readme)
    assert len(pictures) == 1
    alternative, file = pictures[0]
    assert len(alternative) > 20
    assert (ROOT / file).stat().st_size < 60_000
    assert path.name in (ROOT / "binder" / "README.md").read_text()
    assert f"notebooks/{path.stem}.md" in (ROOT / "mkdocs.yml").read_text()


def test_methods_stand_side_by_side() -> None:
    book = nbformat.read(next(path for path in NOTEBOOKS if path.stem == "02_methods"), 4)
    assert any("cw.Comparison.of(" in cell.source for cell in book.cells)
