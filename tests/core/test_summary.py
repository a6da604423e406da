"""The table, on the networks of the tutorials that cnnwidgets follows."""

from __future__ import annotations

import html.parser
import re

import torch
import torchvision
from torch import nn

from cnnwidgets.tracing.architecture import trace

# Keras draws the same two networks with these numbers in its own summary.
DIGITS = nn.Sequential(
    nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(),
    nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10),
)  # fmt: skip
CIFAR = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding="same"), nn.ReLU(), nn.Dropout(0.3), nn.Conv2d(32, 32, 3, padding="same"), nn.ReLU(),
    nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8192, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 10),
)  # fmt: skip


def rows(text: str) -> list[list[str]]:
    body = text.split("═\n")[1].split("\n─")[0]
    return [re.split(r"\s{2,}", line.strip()) for line in body.splitlines()]


def test_digits_network() -> None:
    architecture = trace(DIGITS, torch.zeros(1, 1, 28, 28))
    text = architecture.summary()
    assert "Total params: 1,199,882\nTrainable params: 1,199,882\nNon-trainable params: 0\n" in text
    table = rows(text)
    assert [row[:3] for row in table if row[2] != "0"] == [
        ["0 (Conv2d)", "(1, 32, 26, 26)", "320"],
        ["2 (Conv2d)", "(1, 64, 24, 24)", "18,496"],
        ["7 (Linear)", "(1, 128)", "1,179,776"],
        ["10 (Linear)", "(1, 10)", "1,290"],
    ]
    assert [row[1] for row in table[4:7]] == ["(1, 64, 12, 12)", "(1, 64, 12, 12)", "(1, 9216)"]
    assert architecture.find("5").detail == "Dropout 0.25"
    assert [layer.kind for layer in architecture.layers] == [
        "conv", "activation", "conv", "activation", "pool", "dropout", "reshape", "linear", "activation", "dropout",
        "linear",
    ]  # fmt: skip


def test_cifar_network() -> None:
    architecture = trace(CIFAR, torch.zeros(1, 3, 32, 32))
    assert "Total params: 4,210,090" in architecture.summary()
    assert [layer.params for layer in architecture.layers if layer.params] == [896, 9248, 4_194_816, 5130]


def test_columns_are_aligned_and_lines_fit() -> None:
    net = torchvision.models.resnet18()
    net.layer4.requires_grad_(False)
    architecture = trace(net, torch.zeros(1, 3, 64, 64))
    text = architecture.summary(90)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 90
    at = lines[1].index("Output shape")
    body = [line for line in lines[3:] if "(1, " in line and not line.startswith("Input")]
    assert len(body) == len(architecture.layers)
    assert {line.index("(1, ") for line in body} == {at}
    assert {len(line) for line in body} == {len(lines[0])}
    frozen = sum(p.numel() for p in net.layer4.parameters())
    assert f"Non-trainable params: {frozen:,}" in text


def test_long_names_are_cut_and_keep_their_end() -> None:
    net = nn.Sequential()
    net.add_module("a" * 500 + "tail", nn.Conv2d(1, 1, 1))
    net.add_module("line\nbreak", nn.ReLU())
    text = trace(net, torch.zeros(1, 1, 4, 4)).summary(80)
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"^…a+tail \(Conv2d\)  \(1, 1, 4, 4\)", text, re.MULTILINE)
    assert "line break (ReLU)" in text


def test_params_outside_of_layers_are_told() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1))
    net.register_parameter("token", nn.Parameter(torch.zeros(7)))
    assert "Params outside the layers above: 7" in trace(net, torch.zeros(1, 1, 4, 4)).summary()


def test_html_shows_names_as_text() -> None:
    name = "<script>alert('x')</script>\"&"
    net = nn.Sequential()
    net.add_module(name, nn.Conv2d(1, 1, 1))
    architecture = trace(net, torch.zeros(1, 1, 4, 4))

    class Parser(html.parser.HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.tags: set[str] = set()
            self.text = ""

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.tags.add(tag)

        def handle_data(self, data: str) -> None:
            self.text += data + "\n"

    parser = Parser()
    parser.feed(architecture._repr_html_())
    assert "script" not in parser.tags
    assert f"{name} (Conv2d)" in parser.text
    assert "Total params: 2" in parser.text


def test_repr_is_short_and_stable() -> None:
    architecture = trace(DIGITS, torch.zeros(1, 1, 28, 28))
    assert repr(architecture) == (
        "<Architecture of Sequential: 11 layers, 1,199,882 parameters, 11.99 MMACs, input 1×1×28×28>"
    )
    by_hand = 26 * 26 * 32 * 9 + 24 * 24 * 64 * 32 * 9 + 9216 * 128 + 128 * 10
    assert architecture.total_macs == by_hand


def test_a_layer_that_is_called_twice_says_so_with_both_fields() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.act, self.pool = nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.pool(self.conv(self.act(self.conv(x))))

    architecture = trace(Twice(), torch.zeros(1, 1, 16, 16))
    fields = {line.split()[0]: line.split("  ")[-1].strip() for line in architecture.summary().splitlines()[3:6]}
    assert fields == {"conv": "3×3…5×5 (2×)", "act": "3×3", "pool": "whole image"}
    assert architecture.find("conv").fields == ((3, 3), (5, 5))
    assert architecture.find("conv").receptive_field == (5, 5)
    assert "(n×): called n times; the receptive fields of the first and the last call" in architecture.summary()
    assert "3×3…5×5 (2×)" in architecture._repr_html_()


def test_the_last_call_may_be_one_that_does_not_see_the_image() -> None:
    class Compared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, padding=1)
            self.register_buffer("reference", torch.zeros(1, 1, 16, 16))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x) - self.conv(self.reference)

    line = trace(Compared(), torch.zeros(1, 1, 16, 16)).summary().splitlines()[3]
    assert line.split("  ")[-1].strip() == "3×3…- (2×)"


def test_no_field_is_cut_at_the_image() -> None:
    lines = trace(torchvision.models.resnet18(weights=None), torch.zeros(1, 3, 224, 224)).summary().splitlines()
    # Araujo et al. 2019, "Computing receptive fields", table: 435 for ResNet-18's last block.
    assert next(line for line in lines if line.startswith("layer4.1.conv2")).endswith("435×435")
    assert next(line for line in lines if line.startswith("avgpool")).endswith("whole image")


def test_one_axis_seen_wholly() -> None:
    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, (1, 3), padding=(0, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x.mean(2, keepdim=True))

    assert trace(Rows(), torch.zeros(1, 1, 8, 8)).summary().splitlines()[3].endswith("all×3")
