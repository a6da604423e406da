"""The Chinese notebooks keep step with the English ones: the same code, numbers, headings and links."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import pytest

BOOKS = Path(__file__).parents[2] / "notebooks"
ENGLISH = sorted(BOOKS.glob("[0-9][0-9]_*.ipynb"))
CHINESE = re.compile(r"[\u4e00-\u9fff]")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`([^`\n]+)`")
MAGIC = re.compile(r"^[%!].*$", re.MULTILINE)


class Untranslated(ast.NodeTransformer):
    """Code without the sentences that may be translated, which go to ``texts``: of exercises and of what is printed."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        name = called(node)
        if name == "print":
            node.args = [self.blank(argument) for argument in node.args]
        elif name == "Exercise":
            question, answers = node.args
            assert isinstance(answers, ast.Dict), "an exercise's answers are a dict"
            keys = [ast.unparse(key) for key in answers.keys if key]
            for option in node.keywords:
                if option.arg == "correct":  # the right answer stands where it stood
                    option.value = ast.Constant(keys.index(ast.unparse(option.value)))
            answers.keys = [key and self.blank(key) for key in answers.keys]
            answers.values = [self.blank(value) for value in answers.values]
            node.args = [self.blank(question), answers]
        return node

    def blank(self, node: ast.expr) -> ast.expr:
        """The expression without its text; keys and arguments that are text stay."""
        match node:
            case ast.Constant(value=str(text)):
                self.texts.append(text)
                return ast.Constant("")
            case ast.JoinedStr(values=parts):
                blanks = [self.blank(part) for part in parts]
                values = [part for part in blanks if isinstance(part, ast.FormattedValue)]
                return ast.JoinedStr(list(values)) if values else ast.Constant("")
            case ast.FormattedValue(value, conversion, layout):
                return ast.FormattedValue(self.blank(value), conversion, layout)
            case ast.IfExp(test, body, orelse):
                return ast.IfExp(test, self.blank(body), self.blank(orelse))
        return node


def called(node: ast.Call) -> str:
    """The last name of what is called."""
    return ast.unparse(node.func).rpartition(".")[2]


def calls(source: str, name: str) -> list[ast.Call]:
    nodes = ast.walk(ast.parse(MAGIC.sub("", source)))
    return [node for node in nodes if isinstance(node, ast.Call) and called(node) == name]


def code_and_texts(source: str) -> tuple[str, list[str]]:
    """What must be the same in both languages, and the texts that may differ."""
    if source.startswith("%%"):
        return source, []
    reader = Untranslated()
    tree = reader.visit(ast.parse(MAGIC.sub("", source)))
    return "\n".join([*MAGIC.findall(source), ast.dump(tree)]), reader.texts


def numbers(texts: Iterable[str]) -> list[str]:
    """Those written in digits; 1.2 million is 120 times ten thousand."""
    written = re.findall(r"(\d+(?:[.,]\d+)*)(?: ?(million|万))?", "\n".join(texts))
    scale = {"million": 1_000_000, "万": 10_000}
    return [str(round(float(digits) * scale[unit])) if unit else digits for digits, unit in written]


def check_code(english: str, chinese: str) -> None:
    (code, texts), (code_zh, texts_zh) = code_and_texts(english), code_and_texts(chinese)
    assert code_zh == code
    assert set(numbers(texts_zh)) == set(numbers(texts))


def printable(node: ast.expr) -> str:
    """A regular expression of what an argument of print, or a part of it, can write."""
    match node:
        case ast.Constant(value=str(text)):
            return re.escape(text)
        case ast.JoinedStr(values=parts):
            return "".join(map(printable, parts))
        case ast.FormattedValue(value=ast.IfExp() as choice):
            return printable(choice)
        case ast.IfExp(body=body, orelse=orelse):
            return f"(?:{printable(body)}|{printable(orelse)})"
    return ".*"


def check_outputs(english: Any, chinese: Any) -> None:
    if code_and_texts(english.source)[1] == code_and_texts(chinese.source)[1]:
        assert chinese.outputs == english.outputs
        return
    for output, translated in zip(english.outputs, chinese.outputs, strict=True):
        if output.output_type != "stream":
            assert translated == output
            continue
        assert {**translated, "text": ""} == {**output, "text": ""}
        assert numbers([translated.text]) == numbers([output.text])
        # The stored text is what this very code prints; the English one proves the expression.
        for source, text in ((english.source, output.text), (chinese.source, translated.text)):
            lines = [
                r"[\s\S]*" if call.keywords else " ".join(map(printable, call.args)) + "\n"
                for call in calls(source, "print")
            ]
            assert re.fullmatch(f"(?:{'|'.join(lines)})*", text), text


def link_targets(text: str, folder: Path) -> list[str]:
    """Where links and pictures lead; a translated notebook counts as the notebook."""
    targets = []
    for link, picture in re.findall(r"\]\(([^)\s]+)[^)]*\)|\bsrc=[\"']([^\"']+)", text):
        address = link or picture
        if not re.match(r"\w+:|#", address):
            path = (folder / address.partition("#")[0]).resolve()
            assert path.exists(), f"{address} leads nowhere"
            address = str(BOOKS / path.name if path.parent == BOOKS / "zh" else path)
        targets.append(address)
    return sorted(targets)


def without_link(text: str) -> str:
    """Markdown without the line that leads to the other language."""
    return re.sub(r"^.*\]\((?:zh|\.\.)/\w+\.ipynb\).*$", "", text, flags=re.MULTILINE)


def check_markdown(english: str, chinese: str) -> None:
    assert CHINESE.search(chinese), chinese
    fences = [[re.sub(r"\s*#.*", "", block) for block in FENCE.findall(text)] for text in (english, chinese)]
    assert fences[1] == fences[0]
    prose, prose_zh = (re.sub(r"\]\([^)]*\)", "]", FENCE.sub("", text)) for text in (english, chinese))
    for kind in (r"^(#+) ", r"^(\s*[*-] |\s*\d+\. |\|)"):  # headings; points and rows of tables
        assert re.findall(kind, prose_zh, re.MULTILINE) == re.findall(kind, prose, re.MULTILINE), chinese
    assert set(INLINE_CODE.findall(prose_zh)) == set(INLINE_CODE.findall(prose)), chinese
    assert set(numbers([prose_zh])) == set(numbers([prose])), chinese
    check_emphasis(INLINE_CODE.sub("x", prose_zh))


def check_emphasis(text: str) -> None:
    """Stars beside a punctuation mark stay stars where no space or mark stands on their other side (CommonMark)."""
    for match in re.finditer(r"(\*{1,2})(?![\s*])(.+?)(?<!\s)\1", text):
        before, after = text[: match.start()][-1:], text[match.end() :][:1]
        for inner, outer in ((match[2][0], before), (match[2][-1], after)):
            assert not _is_mark(inner) or not outer.strip() or _is_mark(outer), match[0]


def _is_mark(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "PS"


def test_no_translation_is_without_its_notebook() -> None:
    assert {path.name for path in (BOOKS / "zh").glob("*.ipynb")} <= {path.name for path in ENGLISH}


@pytest.mark.parametrize("path", ENGLISH, ids=lambda path: path.stem)
def test_a_translation_keeps_step(path: Path) -> None:
    english, chinese = nbformat.read(path, 4), nbformat.read(BOOKS / "zh" / path.name, 4)
    assert chinese.metadata == english.metadata
    for cell, translated in zip(english.cells, chinese.cells, strict=True):
        free = {"source": "", "outputs": []}
        assert {**translated, **free} == {**cell, **free}
        if cell.cell_type == "code":
            check_code(cell.source, translated.source)
            check_outputs(cell, translated)
            for call in calls(translated.source, "Exercise"):
                question, answers = map(ast.literal_eval, call.args)
                assert all(map(CHINESE.search, (question, *answers.values()))), question
        elif cell.cell_type == "markdown":
            check_markdown(without_link(cell.source), without_link(translated.source))
            assert link_targets(translated.source, BOOKS / "zh") == link_targets(cell.source, BOOKS)
    # Each leads to the other from its first cell.
    assert english.cells[0].source.count(f"](zh/{path.name})") == 1
    assert chinese.cells[0].source.count(f"](../{path.name})") == 1


ASKED = 'cw.Exercise("How many of 3?", {"all": "Yes: 3.", "none": "No."}, correct="all")'
SAME = {
    "a comment": ("x = f(1)  # the cat", "x = f(1)  # 猫"),
    "a printed text": ("print('length:', n)", "print('长度：', n)"),
    "text around a number": ("print(f'filter {n}: length {x:.2f}')", "print(f'滤波器 {n}，长度 {x:.2f}。')"),
    "yes and no": ("print(f\"more? {'yes' if a > 1 else 'no'}\")", "print(f\"更多？{'是' if a > 1 else '否'}\")"),
    "a large number": ("print('1.2 million', n)", "print('120 万', n)"),
    "an exercise": (ASKED, 'cw.Exercise("3 个中有几个？", {"全部": "对：3 个。", "没有": "不对。"}, correct="全部")'),
}
DIFFERENT = {
    "a name": ("x = f(1)", "y = f(1)"),
    "a number": ("x = f(1)", "x = f(2)"),
    "a text that is not printed": ("f('conv1')", "f('卷积')"),
    "a key in print": ("print(f'{outputs[\"bn1\"]}')", "print(f'{outputs[\"bn2\"]}')"),
    "an argument in print": ("print('a', f('conv1'))", "print('a', f('conv2'))"),
    "a condition in print": ("print('y' if a == 'x' else 'n')", "print('y' if a == 'z' else 'n')"),
    "a layout": ("print(f'a {x:.2f}')", "print(f'a {x:.3f}')"),
    "an order": ("print(f'{a} before {b}')", "print(f'{b}在{a}后')"),
    "a number in a text": ("print('of 84 crops', n)", "print('48 块中', n)"),
    "a large number": ("print('1.2 million', n)", "print('1.2 万', n)"),
    "a magic": ("%matplotlib inline\nf()", "%matplotlib widget\nf()"),
    "the right answer": (ASKED, ASKED.replace('correct="all"', 'correct="none"')),
    "an answer less": (ASKED, ASKED.replace(', "none": "No."', "")),
}


@pytest.mark.parametrize(("english", "chinese"), SAME.values(), ids=SAME)
def test_text_may_be_translated(english: str, chinese: str) -> None:
    check_code(english, chinese)


@pytest.mark.parametrize(("english", "chinese"), DIFFERENT.values(), ids=DIFFERENT)
def test_nothing_else_may_differ(english: str, chinese: str) -> None:
    with pytest.raises(AssertionError):
        check_code(english, chinese)


def code_cell(source: str, text: str) -> Any:
    return nbformat.v4.new_code_cell(source, outputs=[nbformat.v4.new_output("stream", text=text)])


def test_stored_outputs_are_those_of_the_code() -> None:
    english = code_cell("print(f'length {x:.1f}')", "length 7.8\n")
    source = "print(f'长度 {x:.1f}')"
    check_outputs(english, code_cell(source, "长度 7.8\n"))
    for wrong in ("长度 7.9\n", "length 7.8\n", "长度 7.8\n7.8\n", ""):
        with pytest.raises(AssertionError):
            check_outputs(english, code_cell(source, wrong))
    with pytest.raises(AssertionError):
        check_outputs(english, code_cell(english.source, "length 7.9\n"))


@pytest.mark.parametrize(
    "chinese",
    [
        "# 猫\n\n看 `conv1` 的 3 个",  # another level
        "## 猫\n\n看 `conv2` 的 3 个",
        "## 猫\n\n看 `conv1` 的 4 个",
        "## 猫\n\n* 看 `conv1` 的 3 个",  # a point of a list
        "## 猫\n\n**看 `conv1` 的 3 个。**再看",  # stars that would be read as stars
        "## cat\n\nsee 3 of `conv1`",
    ],
)
def test_markdown_that_has_fallen_out_of_step(chinese: str) -> None:
    english = "## Cat\n\nSee 3 of `conv1`."
    check_markdown(english, "## 猫\n\n看 `conv1` 的 3 个。")
    with pytest.raises(AssertionError):
        check_markdown(english, chinese)


def test_links_lead_somewhere() -> None:
    name = ENGLISH[0].name
    assert link_targets(f"[a]({name}) [b](https://captum.ai)", BOOKS) == link_targets(
        f"[b](https://captum.ai) [a](../{name})", BOOKS / "zh"
    )
    with pytest.raises(AssertionError, match="nowhere"):
        link_targets(f"![a picture]({name}.png)", BOOKS)
