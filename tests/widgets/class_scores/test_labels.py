from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from PIL import ImageFont

from cnnwidgets.widgets.class_scores.ranking import ellipsised, width

FONT = ImageFont.truetype(f"{mpl.get_data_path()}/fonts/ttf/DejaVuSans.ttf", 12)
LABELS = [
    "tiger cat",
    "German short-haired pointer",
    "<script>window.hacked=1</script>",
    "MWMWMWMWMWMWMWMWMWMW",
    "very" * 125,
    "illiilliilliilliilliilliilliilliill",
    "ÄÖÜ ßéèñ, çedilla & œuvre of the 18th century",
    "0123456789 + 987654321 = #1 @ 100%",
]


@pytest.mark.parametrize("label", LABELS)
def test_a_cut_label_fits_when_it_is_drawn_and_fills_most_of_the_room(label: str) -> None:
    shown = ellipsised(label, 122)
    assert FONT.getlength(shown) <= 124
    if shown != label:
        assert shown.endswith("…")
        assert label.startswith(shown[:-1])
        assert FONT.getlength(shown) >= 80


def test_the_widths_of_imagenets_names_are_about_right() -> None:
    from torchvision.models import ResNet18_Weights

    names = ResNet18_Weights.DEFAULT.meta["categories"]
    ratio = np.array([width(name) / FONT.getlength(name) for name in names])
    assert 1.0 <= np.median(ratio) < 1.1
    assert ratio.min() > 0.9


def test_letters_that_take_no_room_take_none() -> None:
    assert width("e\u0301\u202e") == width("e")
    assert ellipsised("猫" * 20, 100) == "猫" * 7 + "…"
