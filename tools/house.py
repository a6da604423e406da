"""The shape of the code in numbers: the length of files and functions, what names say, imports that run in circles.

python tools/house.py               the table, and an exit code of 1 where a number is over its limit
python tools/house.py core widgets  each place in these rooms that counts against a limit
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import subprocess
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
SUFFIXES = (".py", ".ts", ".css", ".mjs")
NO_SOURCE = {"node_modules", "static", "__pycache__"}

MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_FUNCTION = 50
MOST_FILES_OF_CORE = 14
MOST_FILLERS = 0.005
GOAL = 40_463
"""Lines of the product when this was first counted, less 3,000."""
BUILT_LATER = {
    "what a stranger met in the first hour": 2_000,
    "filters and edited images in the Explorer": 2_000,
    "other front ends: themes, saved state, image processors, tables": 450,
    "names of networks in compared graphs": 10,
    "the colour bar of the map over hidden parts": 40,
    "Save of a check": 100,
    "letting go of widgets, images and looks": 80,
    "the scores of the next switch, computed ahead": 70,
    "networks on a GPU: how it rounds, and what its operations are called": 30,
    "the scores of switches, which moved to a room that is not counted": -130,
}
"""What came to the rooms that stood first, in lines; rooms and widgets that are built later do not count."""
MOST_LINES_OF_THE_PRODUCT = GOAL + sum(BUILT_LATER.values())
ROOMS = {
    *("core", "state", "outputs", "running", "tracing", "pictures", "incremental", "explainers", "checks", "widgets"),
    *("explorer", "_frontend", "demo.py", "__init__.py", "_version.py"),
}

# A folder of widgets that is built later is a room of its own in this count.
LATER_WIDGETS = {
    *("cell_sum", "convolution_stepper", "exercise", "filter_gallery", "filter_panel", "filter_ranking", "image_input"),
    *("kernel_grid", "prediction_board", "training_board"),
}

# Words that tell what was done to a thing, or that it is one, but not what it is.
FILLERS = {
    *("found", "seen", "known", "wanted", "given", "shown", "chosen", "made", "place", "said", "told", "kept", "taken"),
    *("done", "asked", "got", "held", "used", "reached", "noted", "meant", "needed", "looked", "picked"),
    *("one", "what", "thing", "things", "stuff", "them", "those"),
}


@dataclass(frozen=True)
class Source:
    """A file of the product: where it is under the package, and its text."""

    path: Path
    text: str

    @property
    def room(self) -> str:
        later = self.path.parts[0] == "widgets" and self.path.parts[1] in LATER_WIDGETS
        return "/".join(self.path.parts[:2]) if later else self.path.parts[0]

    @property
    def lines(self) -> int:
        return self.text.count("\n")


@dataclass(frozen=True)
class Report:
    """What was counted; each entry of a list is one place that counts against a limit."""

    lines: dict[str, int]
    long_files: list[str]
    long_functions: list[str]
    circles: list[str]
    twice: list[str]
    fillers: list[str]
    names: int
    files_of_core: int

    @property
    def share_of_fillers(self) -> float:
        return len(self.fillers) / max(self.names, 1)

    def faults(self) -> list[str]:
        """One sentence a limit that is passed."""
        product = sum(lines for room, lines in self.lines.items() if room in ROOMS)
        limits = [
            (len(self.long_files), 0, f"files over {MOST_LINES_OF_A_FILE} lines"),
            (len(self.long_functions), 0, f"functions over {MOST_LINES_OF_A_FUNCTION} lines of code"),
            (len(self.circles), 0, "circles of imports"),
            (len(self.twice), 0, "names defined in more than one file"),
            (self.files_of_core, MOST_FILES_OF_CORE, "files in core"),
            (product, MOST_LINES_OF_THE_PRODUCT, "lines in the rooms that stood first"),
        ]
        sentences = [f"{count:,} {words}; at most {most:,}" for count, most, words in limits if count > most]
        if self.share_of_fillers > MOST_FILLERS:
            sentences.append(f"{self.share_of_fillers:.2%} of the names say nothing; at most {MOST_FILLERS:.1%}")
        return sentences


def sources(package: Path) -> list[Source]:
    """Every file of the product."""
    paths = (path for path in sorted(package.rglob("*")) if path.suffix in SUFFIXES)
    return [
        Source(path.relative_to(package), path.read_text(encoding="utf-8"))
        for path in paths
        if not NO_SOURCE & set(path.relative_to(package).parts)
    ]


def lines_of_code(text: str, tree: ast.Module) -> set[int]:
    """The numbers of the lines that hold more than a comment or a docstring."""
    blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in blank:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def bound_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name that the code gives: of locals, arguments, attributes, functions and classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler) and node.name:
            yield node.name, node.lineno


def imports(module: str, is_package: bool, tree: ast.Module, modules: set[str]) -> set[str]:
    """The modules of the package that a module imports, wherever the import stands."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names.update(f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base for alias in node.names)
    return (names & modules) - {module}


def circles(graph: dict[str, set[str]]) -> list[str]:
    """One path for each circle that has to be opened, until none is left."""
    rest, paths = {module: set(others) for module, others in graph.items()}, []
    while True:
        try:
            TopologicalSorter(rest).prepare()
        except CycleError as error:
            circle = error.args[1]
            paths.append(" -> ".join(reversed(circle)))
            rest[circle[1]].discard(circle[0])
        else:
            return paths


def scripts(package: Path) -> list[dict[str, list[list[object]]]]:
    """What ``measure.mjs`` tells of the TypeScript: long functions, exported names and bound names, a file each."""
    measure = package / "_frontend" / "measure.mjs"
    if not measure.exists():
        return []
    command = [sys.executable, str(measure.with_name("node.py")), "node", measure.name]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return list(json.loads(output))


def shared(homes: dict[str, list[str]]) -> list[str]:
    """The names that have more than one home."""
    return [f"{name}: {', '.join(paths)}" for name, paths in sorted(homes.items()) if len(paths) > 1]


def report(package: Path) -> Report:
    lines: dict[str, int] = defaultdict(int)
    long_files, long_functions, fillers = [], [], []
    homes: dict[str, list[str]] = defaultdict(list)
    trees: dict[str, tuple[bool, ast.Module]] = {}
    names = 0
    files = sources(package)
    for source in files:
        lines[source.room] += source.lines
        if source.lines > MOST_LINES_OF_A_FILE:
            long_files.append(f"{source.path}: {source.lines} lines")
        if source.path.suffix != ".py":
            continue
        tree = ast.parse(source.text)
        dotted = ".".join([package.name, *source.path.with_suffix("").parts])
        trees[dotted.removesuffix(".__init__")] = source.path.name == "__init__.py", tree
        code = lines_of_code(source.text, tree)
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            count = len(code & set(range(function.lineno, (function.end_lineno or function.lineno) + 1)))
            if count > MOST_LINES_OF_A_FUNCTION:
                long_functions.append(f"{source.path}:{function.lineno} {function.name}: {count} lines")
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef) and not statement.name.startswith("__"):
                homes[statement.name].append(str(source.path))
        for name, line in bound_names(tree):
            names += 1
            if name.strip("_") in FILLERS:
                fillers.append(f"{source.path}:{line} {name}")
    graph = {module: imports(module, face, tree, set(trees)) for module, (face, tree) in trees.items()}
    exports: dict[str, list[str]] = defaultdict(list)
    for script in scripts(package):
        path = str(script["path"])
        long_functions += [f"{path}:{line} {name}: {count} lines" for name, line, count in script["long"]]
        for name in script["exports"]:
            exports[str(name)].append(path)
        names += len(script["names"])
        fillers += [f"{path}:{line} {name}" for name, line in script["names"] if str(name).strip("_") in FILLERS]
    return Report(
        dict(lines),
        long_files,
        long_functions,
        circles(graph),
        [
            f"{name}: {', '.join(paths)}"
            for places in (homes, exports)
            for name, paths in sorted(places.items())
            if len(paths) > 1
        ],
        fillers,
        names,
        sum(source.room == "core" and source.path.suffix == ".py" for source in files),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="*", help="list each place in these rooms")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout that is counted")
    options = parser.parse_args()
    counted = report(options.root.resolve() / "cnnwidgets")
    listed = [
        ("files over the limit", counted.long_files),
        ("functions over the limit", counted.long_functions),
        ("circles of imports", counted.circles),
        ("names defined in more than one file", counted.twice),
        ("names that say nothing", counted.fillers),
    ]
    for title, places in listed:
        print(f"{len(places):6} {title}")
        for place in places:
            if any(f"{room}/" in place or f".{room}." in place for room in options.rooms):
                print(f"         {place}")
    print(f"{counted.share_of_fillers:6.2%} of {counted.names:,} names say nothing")
    print(f"{counted.files_of_core:6} files in core")
    for room, lines in sorted(counted.lines.items(), key=lambda item: -item[1]):
        print(f"{lines:6} lines in {room}")
    print(f"{sum(counted.lines.values()):6} lines in all")
    faults = counted.faults()
    for fault in faults:
        print(f"over the limit: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
