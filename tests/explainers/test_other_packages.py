"""Explainers that another package brings along, by an entry point; one that is broken takes nothing with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PLUGIN = """import cnnwidgets as cw

@cw.explainers.register("their_map", family="theirs", question="Theirs?")
def their_map(model, images, target=None):
    return images

def register_more():
    @cw.explainers.register("their_other_map", family="theirs")
    def their_other_map(model, images, target=None):
        return images * 2
"""
ENTRIES = """[cnnwidgets.explainers]
a_missing = no_such_module
broken = broken_plugin
maps = their_plugin
more = their_plugin:register_more
"""
PROGRAM = """import sys, warnings
import cnnwidgets as cw
with warnings.catch_warnings(record=True) as raised:
    warnings.simplefilter("always")
    import cnnwidgets.explainers
    assert "their_plugin" not in sys.modules, "importing loads nothing"
    cw.explainers.{first}
    names = cw.explainers.names()
assert names[-2:] == ["their_map", "their_other_map"], names
import torch
model = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.Flatten())
print(cw.explainers.their_other_map(model, torch.ones(1, 1, 2, 2)).values.sum().item())
for warning in raised:
    print(warning.category.__name__, warning.message)
e = cw.explore(torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.Flatten()), torch.rand(1, 1, 8, 8))
e.method = "their_map"
e.wait(60)
print(e.attribution.method, e.status)
"""


def _run(folder: Path, first: str) -> list[str]:
    metadata = folder / "their_package-1.0.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRIES)
    (folder / "their_plugin.py").write_text(PLUGIN)
    (folder / "broken_plugin.py").write_text("raise RuntimeError('<b>out of order</b>')")
    program = f"import sys; sys.path.insert(0, {str(folder)!r})\n" + PROGRAM.replace("{first}", first)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_they_join_when_the_registry_is_asked_and_a_broken_one_is_a_warning_that_names_it(tmp_path: Path) -> None:
    product, *warned, shown = _run(tmp_path, "names()")
    assert product == "8.0"  # four pixels of 1, doubled
    assert len(warned) == 2
    assert "RuntimeWarning The explainers 'a_missing' of their-package (no_such_module)" in warned[0]
    assert "'broken' of their-package (broken_plugin) could not be loaded: RuntimeError: <b>out of order" in warned[1]
    assert shown == "their_map ready"
