"""The wheel and the sdist, built as pip builds them on a machine without node, and what is in them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser

ROOT = Path(__file__).parent.parent.parent
WIDGETS = sorted(path.parent.name for path in (ROOT / "cnnwidgets" / "widgets").glob("*/widget.ts"))


# What each widget that has a bundle tells its view at the start, by the bundle's name.
STATES = """
import importlib, json, pkgutil
from pathlib import Path
import cnnwidgets.widgets as widgets
from cnnwidgets.widgets._base import CnnWidget
for found in pkgutil.iter_modules(widgets.__path__):
    if found.ispkg and not found.name.startswith("_"):
        for inner in pkgutil.iter_modules([str(Path(widgets.__path__[0]) / found.name)]):
            importlib.import_module(f"cnnwidgets.widgets.{found.name}.{inner.name}")
def leaves(kind):
    return [leaf for inner in kind.__subclasses__() for leaf in leaves(inner)] or [kind]
kinds = [kind for kind in leaves(CnnWidget) if kind.__module__.startswith("cnnwidgets.")]
def state(kind):
    traits = kind.class_traits(sync=True).items()
    return {name: trait.default() for name, trait in traits if not name.startswith("_") and name != "layout"}
print(json.dumps({kind.__module__.split(".")[2]: state(kind) for kind in kinds}, default=str))
"""


def tracked() -> list[str]:
    """What a clone of this tree would hold; what is unpacked from an sdist is one already."""
    if not (ROOT / ".git").exists():
        built = ("node_modules", "static", "__pycache__", ".venv", ".pytest_cache", "artefacts", "PKG-INFO")
        names = [path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()]
        return [str(name) for name in names if not set(name.parts) & set(built)]
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in listed if (ROOT / name).exists()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist made from a clone, and the wheel made from that sdist."""
    clone, out = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("dist")
    for name in tracked():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    assert not (clone / "cnnwidgets" / "static").exists()
    environment = {**os.environ, "CNNW_NO_SYSTEM_NODE": "1"}
    command = [sys.executable, "-m", "build", "--outdir", str(out), str(clone)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out


def test_the_wheel_holds_what_runs_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for widget in WIDGETS:
        assert {f"cnnwidgets/static/{widget}.js", f"cnnwidgets/static/{widget}.css"} <= names
    assert {"cnnwidgets/static/page.js", "cnnwidgets/static/page.css", "cnnwidgets/command.py"} <= names
    assert {"cnnwidgets/py.typed", "cnnwidgets/__init__.py", "cnnwidgets/core/capture.py"} <= names
    foreign = [name for name in names if not name.startswith(("cnnwidgets/", "cnnwidgets-"))]
    assert foreign == []
    assert [name for name in names if name.endswith((".ts", ".ipynb")) or "node_modules" in name] == []
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_sdist_carries_the_sources_and_the_built_bundles(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {f"cnnwidgets/static/{widget}.js" for widget in WIDGETS} <= names
    assert {f"cnnwidgets/widgets/{widget}/widget.ts" for widget in WIDGETS} <= names
    assert {"pyproject.toml", "LICENSE", "README.md", "cnnwidgets/_frontend/package-lock.json"} <= names
    # What its Makefile runs and reads.
    assert {"Makefile", "constraints.txt", "mkdocs.yml", "biome.jsonc", "CITATION.cff"} <= names
    makefile = (ROOT / "Makefile").read_text()
    run = [name for name in re.findall(r"[\w/]+\.(?:py|txt|toml|ipynb)", makefile) if (ROOT / name).exists()]
    assert len(run) >= 5
    assert set(run) <= names
    parts = {f"{module.replace('.', '/')}/__main__.py" for module in re.findall(r"python -m (tests\.\w+)", makefile)}
    assert len(parts) == 2
    assert parts <= names
    assert {"tools/test.py", "tools/make_venv.py", "docs/conformance.md", "binder/requirements.txt"} <= names
    assert [name for name in names if "node_modules" in name or name.startswith(".venv")] == []


def test_the_package_page_points_nowhere_that_is_not_there(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        _, page = archive.read(name).decode().split("\n\n", 1)
    targets = re.findall(r"\]\(([^)]*)\)", page)
    assert [target for target in targets if not target.startswith("https://")] == []
    readme = (ROOT / "README.md").read_text()
    assert "](docs/" in readme
    for sentence in ("Look inside a network: the Explorer, panel by panel", "conformance.md is a table"):
        assert sentence in page.replace("docs/", ""), "the words of a link stay"
    headings = [line for line in readme.splitlines() if line.startswith("#")]
    assert [line for line in page.splitlines() if line.startswith("#")] == headings


@pytest.fixture(scope="module")
def clean_python(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; its dependencies are lent by this one, to spare gigabytes of copies."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    # A path in a .pth file is searched, but .pth files inside it are not read: the editable install stays out.
    lenders = [path for path in sys.path if path.endswith("site-packages")]
    (site / "lent.pth").write_text("\n".join(lenders))
    return python


def run(python: Path, code: str, folder: Path) -> str:
    done = subprocess.run([str(python), "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_a_clean_environment_imports_the_wheel(clean_python: Path, tmp_path: Path) -> None:
    where = run(clean_python, "import cnnwidgets; print(cnnwidgets.__file__)", tmp_path)
    assert Path(where).is_relative_to(clean_python.parent.parent)
    code = (
        "import cnnwidgets as cw, torch; from torch import nn\n"
        "net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))\n"
        "e = cw.explore(net, torch.rand(1, 3, 16, 16)); print(e.layer, e.status); e.close()"
    )
    assert run(clean_python, code, tmp_path) == "1 ready"


def test_every_widget_of_the_wheel_renders_in_a_browser(clean_python: Path, tmp_path: Path, browser: Browser) -> None:
    static = Path(run(clean_python, "from cnnwidgets.widgets._base import STATIC; print(STATIC)", tmp_path))
    assert static.is_relative_to(clean_python.parent.parent)
    states = json.loads(run(clean_python, STATES, tmp_path).splitlines()[-1])
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for widget in WIDGETS:
        page.set_content("<div id=root></div>")
        page.evaluate(
            """async ([source, state]) => {
              const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
              const widget = (await import(url)).default;
              const model = {get: (name) => state[name], set() {}, save_changes() {}, on() {}, off() {}, send() {}};
              widget.initialize?.({model});
              widget.render({model, el: document.getElementById("root")});
            }""",
            [(static / f"{widget}.js").read_text(), states[widget]],
        )
        assert page.locator("#root.cnnw").count() == 1, widget
        assert page.locator("#root *").count() > 1, widget  # tabs have nothing else when there are none
    assert errors == []
    page.close()
