"""Which class is explained: the highest, one that somebody chose, one by its name; and what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.core.errors import InputError, TargetError
from cnnwidgets.outputs.class_names import class_by_name
from tests.explorer import nets

RED, GREEN, BLUE = (torch.eye(3)[k].view(1, 3, 1, 1).expand(1, 3, 8, 8) for k in range(3))
LABELS = ["red fox", "green, verdant", "blue"]


@pytest.fixture
def e() -> cw.Explorer:
    """Of a network that says how red, green and blue a picture is."""
    return cw.explore(nets.colours(), {"red": RED, "green": GREEN, "blue": BLUE}, labels=LABELS)


def said(e: cw.Explorer) -> tuple[str, bool]:
    return e.scores.explains, e.scores.chosen


def test_it_follows_the_highest_score_until_a_class_is_chosen_and_again_when_told(e: cw.Explorer) -> None:
    assert e.target == 0
    assert said(e) == ("Explains the class with the highest score.", False)
    e.picture = "green"
    e.wait(20)
    assert e.target == 1
    e.target = 2
    e.wait(20)
    e.picture = "red"
    e.wait(20)
    assert e.target == 2
    text, chosen = said(e)
    assert chosen
    share = float(torch.tensor([1.0, 0, 0]).softmax(0)[0])
    assert "blue (2), which you chose" in text
    assert f"the network says red fox ({100 * share:.1f} %)" in text
    assert "stays for other photographs" in text
    e.target = None
    e.wait(20)
    assert (e.target, e.scores.target) == (0, 0)
    assert said(e) == ("Explains the class with the highest score.", False)
    np.testing.assert_array_equal(e.attribution.target, (0,))
    e.picture = "blue"
    e.wait(20)
    assert e.target == 2


def test_a_class_that_happens_to_be_the_highest_is_chosen_too(e: cw.Explorer) -> None:
    e.target = 2
    e.wait(20)
    e.picture = "blue"
    e.wait(20)
    assert said(e) == ("Explains blue (2), which you chose. It stays for other photographs.", True)
    e.target = None  # the value stays: nobody is told of it
    e.wait(20)
    assert said(e) == ("Explains the class with the highest score.", False)
    e.picture = "red"
    e.wait(20)
    assert e.target == 0


def test_the_button_of_the_page_follows_again(e: cw.Explorer) -> None:
    e.target = 1
    e.wait(20)
    e.scores._receive(None, {"op": "follow"}, [])
    e.wait(20)
    assert e.target == 0


@pytest.mark.parametrize("name", ["blue", "Blue", " BLUE "])
def test_by_its_name(e: cw.Explorer, name: str) -> None:
    e.target = name
    e.wait(20)
    assert e.target == 2
    assert e.attribution.target == (2,)
    other = cw.explore(nets.colours(), RED, labels=LABELS, target=name)
    assert (other.target, other.attribution.target) == (2, (2,))
    assert said(other)[1]


def test_whole_numbers_of_other_libraries(e: cw.Explorer) -> None:
    for number in (np.int64(1), torch.tensor(2)):
        e.target = number
        assert (e.target, type(e.target)) == (int(number), int)


def test_a_name_that_is_none_or_several_says_which_there_are(e: cw.Explorer) -> None:
    labels = ["tench", "tiger cat", "Persian cat", "crane", "crane", "tabby, tabby cat"]
    assert [class_by_name(name, labels) for name in ("Tiger_Cat", "tabby")] == [1, 5]
    for name, words in {
        "cat": r"'tiger cat' \(1\), 'Persian cat' \(2\), 'tabby, tabby cat' \(5\)",
        "tiger kat": r"Close: 'tiger cat' \(1\)",
        "crane": r"Several classes are called 'crane': 'crane' \(3\), 'crane' \(4\)",
        "zebra": "Pass one of the 6 names",
    }.items():
        with pytest.raises(TargetError, match=words):
            class_by_name(name, labels)
    with pytest.raises(TargetError, match="Close: 'red fox' \\(0\\)"):
        e.target = "fox"
    assert (e.target, said(e)[1]) == (0, False)
    with pytest.raises(TargetError, match="No class is called 'fox'"):
        cw.explore(nets.colours(), RED, labels=LABELS, target="fox")
    with pytest.raises(TargetError, match="have no names"):
        cw.explore(nets.colours(), RED, target="blue")


def test_a_network_that_is_unsure_is_said_to_be() -> None:
    scores = torch.zeros(10)
    assert cw.ClassScores(scores).remark == "The network is unsure: no class has more than 10.0 %."
    scores[3] = 1.2  # e ** 1.2 / (9 + e ** 1.2) = 27 %
    assert cw.ClassScores(scores).remark == ""
    assert cw.ClassScores(torch.zeros(4)).remark == ""  # a quarter each, and no less can be
    independent = cw.ClassScores(torch.full((10,), 0.1), kind="sigmoid").remark
    assert "unsure" not in independent


def test_images_in_a_list_a_folder_and_without_a_batch(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8), "blue").save(tmp_path / "b.PNG")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.jpg")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "deeper.png").mkdir()
    net = nets.colours()
    for folder in (tmp_path, str(tmp_path)):
        e = cw.explore(net, folder)
        assert e.pictures == ["a.jpg", "b.PNG"]
        assert e.target == 0
        e.picture = "b.PNG"
        e.wait(20)
        assert e.target == 2
    several = cw.explore(net, [RED, tmp_path / "b.PNG", str(tmp_path / "b.PNG"), Image.open(tmp_path / "a.jpg")])
    assert several.pictures == ["image 1", "b.PNG", "b.PNG (2)", "a.jpg"]
    assert cw.explore(net, GREEN[0]).target == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no image file"):
        cw.explore(net, tmp_path / "empty")
    with pytest.raises(InputError, match="list of images is empty"):
        cw.explore(net, [])
