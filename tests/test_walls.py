"""Dependencies point one way, and importing costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cnnwidgets"
ROOMS = [
    "core",
    "state",
    "outputs",
    "running",
    "tracing",
    "pictures",
    "incremental",
    "explainers",
    "checks",
]
"""In the order in which they stand: each imports only those before it, and itself."""
ALLOWED = {room: set(ROOMS[: number + 1]) for number, room in enumerate(ROOMS)}
ALLOWED["pictures"] -= {"tracing"}
ALLOWED["incremental"] -= {"pictures"}
# These stand beside each other, on the explainers.
SIBLINGS = ("concepts", "exemplars", "kernels", "switches", "synthesis")
ALLOWED |= {room: {*ALLOWED["explainers"], room} for room in SIBLINGS}
ALLOWED["exemplars"].add("demo")
ALLOWED["heads"] = {*ALLOWED["explainers"], "heads"}
ALLOWED["learn"] = {"core", "learn"}
ALLOWED |= {
    "widgets": {"core", "outputs", "pictures", "widgets"},
    "notebook": {"notebook"},
    "pages": {*ROOMS, "widgets", "pages"},
    "snapshots": {"core", "state", "outputs", "pictures", "widgets", "snapshots"},
    "explorer": {*ROOMS, *SIBLINGS, "widgets", "pages", "snapshots", "notebook", "explorer", "demo"},
    "versus": {*ROOMS, "widgets", "notebook", "explorer", "versus"},
    "training": {*ROOMS, "kernels", "synthesis", "widgets", "training"},
    "demo": {"core", "pictures"},
    "reporting": {"core", "pages", "explorer"},
    "command": {"core", "demo", "reporting"},
}
GRAPHICAL = {"ipywidgets", "anywidget", "bqplot", "traitlets", "IPython", "matplotlib"}


def imports(path: Path) -> list[tuple[str, bool]]:
    """(absolute module, whether it runs at import) of every import in a file."""
    tree = ast.parse(path.read_text())
    inside = {id(node) for outer in ast.walk(tree) if isinstance(outer, ast.FunctionDef) for node in ast.walk(outer)}
    package = ["cnnwidgets", *path.relative_to(PACKAGE).parts[:-1]]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) not in inside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [(f"{module}.{alias.name}", id(node) not in inside) for alias in node.names]
    return found


def room(module: str) -> str | None:
    """The room of ``cnnwidgets.ROOM...``, or None for anything else."""
    parts = module.split(".")
    return parts[1] if parts[0] == "cnnwidgets" and len(parts) > 1 else None


SOURCES = sorted(
    path
    for name in ALLOWED
    for path in (
        [PACKAGE / f"{name}.py"] if name in ("demo", "command", "reporting") else (PACKAGE / name).rglob("*.py")
    )
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_import_only_what_stands_before_them(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    wrong = [module for module, _ in imports(path) if (other := room(module)) and other not in ALLOWED[own]]
    assert not wrong, f"{own} must not import {wrong}"


@pytest.mark.parametrize("name", [*ROOMS, *SIBLINGS, "learn"])
def test_no_widget_library_below_the_widgets(name: str) -> None:
    for path in (PACKAGE / name).rglob("*.py"):
        wrong = [module for module, at_import in imports(path) if at_import and module.split(".")[0] in GRAPHICAL]
        assert not wrong, f"{path} imports {wrong}"


def test_hooks_are_registered_and_operations_watched_in_one_file_only() -> None:
    calls = ("register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook", "TorchDispatchMode")
    holders = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "node_modules" not in path.parts and any(call in path.read_text() for call in calls)
    }
    assert holders == {"core/capture.py"}


def loaded(statement: str, *modules: str) -> list[str]:
    """Which of ``modules`` a fresh process has after ``statement``."""
    code = f"{statement}\nimport sys\nprint([m for m in {modules!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return list(ast.literal_eval(result.stdout.strip().splitlines()[-1]))


def test_importing_the_package_imports_neither_torch_nor_a_widget() -> None:
    assert loaded("import cnnwidgets", "torch", "ipywidgets", "anywidget", "bqplot", "numpy") == []


def test_looking_at_a_network_does_not_load_torchs_compiler() -> None:
    """Two seconds and 150 MB, which torch takes for anybody who watches single operations."""
    look = "import torch; import cnnwidgets as cw; cw.explore(torch.nn.Conv2d(1, 2, 3), torch.rand(1, 1, 8, 8))"
    assert loaded(look, "torch._dynamo", "cnnwidgets.tracing.torch_calls") == ["cnnwidgets.tracing.torch_calls"]


def test_importing_plain_python_layers_imports_no_torch() -> None:
    assert loaded("import cnnwidgets.learn", "torch", "anywidget", "sklearn", "numpy") == ["numpy"]


def test_importing_the_explainers_imports_no_widget() -> None:
    assert loaded("import cnnwidgets.explainers", "ipywidgets", "anywidget", "bqplot", "matplotlib") == []


def test_the_probe_can_fail() -> None:
    assert loaded("import cnnwidgets as cw; cw.FeatureMaps", "anywidget") == ["anywidget"]


def test_public_names() -> None:
    import cnnwidgets

    for name in cnnwidgets.__all__:
        assert getattr(cnnwidgets, name) is not None
    assert set(cnnwidgets._HOMES) | set(cnnwidgets._ROOMS) | {"__version__"} == set(cnnwidgets.__all__)
    # Type checkers read the imports, by which a name is public only where it is said twice.
    tree = ast.parse(Path(cnnwidgets.__file__).read_text())
    aliases = [alias for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert {alias.asname for alias in aliases if alias.asname == alias.name} == set(cnnwidgets.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        cnnwidgets.nonsense  # noqa: B018
