"""The pages of the documentation that are written elsewhere: README, changelog, notebooks, the list of explainers."""

from __future__ import annotations

import ast
import json
import logging
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
EXPLAINERS = ROOT / "cnnwidgets" / "explainers"
FAMILY = re.compile(r"^::: explainers of the family (\w+)$", re.MULTILINE)
FETCHED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=[\"']?(?:https?:)?//[^\s>]+")
log = logging.getLogger("mkdocs.hooks.docs_pages")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that have no file of their own under docs/."""
    files.append(File.generated(config, "index.md", content=home((ROOT / "README.md").read_text())))
    files.append(File.generated(config, "changelog.md", content=(ROOT / "CHANGELOG.md").read_text()))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=tutorial(path)))
        files.append(File.generated(config, f"notebooks/{path.name}", content=path.read_text()))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Puts the explainers of a family where a page asks for them."""
    return FAMILY.sub(lambda match: family(match[1]), markdown)


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001
    """Warns of what a browser would fetch from elsewhere."""
    for tag in FETCHED.findall(output):
        log.warning("%s fetches from elsewhere: %s", page.file.src_uri, tag)
    return output


def home(readme: str) -> str:
    """README with its links as seen from docs/."""
    readme = readme.replace("](docs/", "](")
    readme = re.sub(r"\]\(notebooks/(\w+)\.ipynb\)", r"](notebooks/\1.md)", readme)
    return re.sub(r"`notebooks/(\w+)\.ipynb`", r"[\g<0>](notebooks/\1.md)", readme)


def tutorial(path: Path) -> str:
    """A notebook as a page, with the text that its cells print; the widgets need a kernel."""
    parts = []
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["metadata"].get("jupyter", {}).get("source_hidden"):
            parts += exercises(source)
        else:
            parts += [fenced(source.removeprefix("# NBVAL_CHECK_OUTPUT\n"), "python"), *map(printed, cell["outputs"])]
    title, *rest = parts
    heading, _, text = title.partition("\n")
    note = f"*This is the notebook [`{path.name}`]({path.name}): `make demo NOTEBOOK=notebooks/{path.name}` opens it.*"
    return "\n\n".join([heading, note, text, *rest])


def exercises(source: str) -> list[str]:
    """The questions of a cell and the answers to choose from; its code would give the right ones away."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and len(node.args) > 1]
    texts = [[ast.literal_eval(argument) for argument in call.args[:2]] for call in calls]
    return ["\n".join([f"**{question}**\n", *(f"* {answer}" for answer in answers)]) for question, answers in texts]


def fenced(text: str, language: str) -> str:
    return f"```{language}\n{text}\n```"


def printed(output: dict[str, Any]) -> str:
    text = output.get("text") or output.get("data", {}).get("text/plain", "")
    return fenced("".join(text), "text")


def family(name: str) -> str:
    """A table of the explainers of a family, and the reference of each."""
    rows, entries = ["| explainer | what its map answers |", "|---|---|"], []
    for explainer, path, question in registered(name):
        rows.append(f"| [`{explainer}`][{path}] | {question} |")
        entries.append(f"::: {path}\n    options:\n      heading: explainers.{explainer}\n      toc_label: {explainer}")
    return "\n\n".join(["\n".join(rows), *entries])


def registered(family: str) -> list[tuple[str, str, str]]:
    """(name, dotted path, question) of each explainer of a family, read from its decorator."""
    entries = []
    for file in sorted(EXPLAINERS.rglob("*.py")):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.parse(file.read_text()).body:
            for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else []:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "register":
                    options = {key.arg: ast.literal_eval(key.value) for key in decorator.keywords}
                    if options["family"] == family:
                        entries.append((node.name, f"{module}.{node.name}", options["question"]))
    return entries
