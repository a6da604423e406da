"""The numbers of tools/house.py, on small packages whose numbers are known; ``make test`` runs it on ours."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parent.parent / "tools" / "house.py"


@pytest.fixture(scope="module")
def house() -> ModuleType:
    spec = importlib.util.spec_from_file_location("house", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["house"] = module  # where dataclasses look up the annotations
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "pkg" / "core").mkdir(parents=True)
    return tmp_path / "pkg"


def write(package: Path, **files: str) -> None:
    for name, text in files.items():
        (package / "core" / f"{name}.py").write_text(text)


def test_a_package_without_faults(house: ModuleType, package: Path) -> None:
    write(package, a="from .b import area\n", b="def area(width, height):\n    return width * height\n")
    counted = house.report(package)
    assert counted.faults() == []
    assert (counted.lines, counted.files_of_core, counted.names) == ({"core": 3}, 2, 3)


def test_long_files(house: ModuleType, package: Path) -> None:
    write(package, a="# why\n" * 300, b="# why\n" * 301)
    assert house.report(package).long_files == ["core/b.py: 301 lines"]


def test_lines_of_a_function_are_lines_of_code(house: ModuleType, package: Path) -> None:
    head, body = 'def f():\n    """Says\n\n    much.\n    """\n', "    # why\n\n    x = (\n        1\n    )\n"
    write(package, a=head + body * 16, b=head.replace("f()", "g()") + body * 17)
    counted = house.report(package)
    assert counted.long_functions == ["core/b.py:1 g: 52 lines"]
    assert counted.long_files == []


def test_a_circle_through_a_lazy_import(house: ModuleType, package: Path) -> None:
    write(package, a="from .b import g\n", b="def g():\n    from pkg.core import c\n", c="from pkg.core.a import g\n")
    assert len(house.report(package).circles) == 1
    write(package, c="")
    assert house.report(package).circles == []


def test_a_circle_through_an_import_for_types(house: ModuleType, package: Path) -> None:
    write(package, a="import pkg.core.b\n", b="if TYPE_CHECKING:\n    from .a import A\n")
    assert len(house.report(package).circles) == 1


def test_names_defined_twice(house: ModuleType, package: Path) -> None:
    write(
        package,
        a="def _f(): ...\nclass A:\n    def g(self): ...\n",
        b="def _f(): ...\nclass B:\n    def g(self): ...\n",
    )
    assert house.report(package).twice == ["_f: core/a.py, core/b.py"]


def test_names_that_say_nothing(house: ModuleType, package: Path) -> None:
    write(package, a="def area(wanted):\n    found = wanted\n    self._seen = founder = found\n")
    counted = house.report(package)
    assert [entry.split()[1] for entry in counted.fillers] == ["wanted", "found", "_seen"]
    assert (counted.names, counted.share_of_fillers) == (5, 0.6)
    assert "60.00% of the names say nothing" in counted.faults()[-1]


def test_too_many_files_in_core(house: ModuleType, package: Path) -> None:
    write(package, **{f"file{number}": "" for number in range(15)})
    assert house.report(package).faults() == ["15 files in core; at most 14"]
