"""What the widget says and sends, and what it leaves behind."""

from __future__ import annotations

import gc
from typing import Any

import ipywidgets
import numpy as np
import pytest

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._maps.ticks import round_ticks
from cnnwidgets.widgets.map_check import MapCheck
from cnnwidgets.widgets.map_check.arrays import as_stack, levels
from tests.widgets.parity import python_keys, typescript_keys

X = [0.0, 0.5, 1.0]


def pushed(check: MapCheck) -> tuple[dict[str, Any], np.ndarray]:
    content, buffers = check.panel._pushed["maps"]
    header = content["arrays"][0]
    return content, np.frombuffer(buffers[0], header["dtype"]).reshape(header["shape"])


def test_both_languages_have_the_same_traits() -> None:
    assert typescript_keys("MapCheckState") == python_keys(MapCheck)


def test_maps_are_sent_each_on_its_own_scale() -> None:
    check = MapCheck()
    maps = np.array([[[0.0, 2.0]], [[1.0, 0.5]], [[np.nan, -8.0]]])
    check.show_maps(maps, ["fc", "conv"], [0.25, np.nan])
    content, sent = pushed(check)
    assert sent.tolist() == [[[0, 254]], [[254, 127]], [[255, 0]]]
    assert (content["layers"], content["similarity"], content["signed"]) == (["fc", "conv"], [0.25, None], False)
    check.show_maps(maps, ["fc", "conv"], [0.25, 0.5], signed=True)
    assert pushed(check)[1].tolist() == [[[127, 254]], [[254, 190]], [[255, 0]]]


def test_large_maps_are_sent_as_means_over_blocks() -> None:
    maps = np.zeros((1, 200, 97))
    maps[0, :3, :3] = np.arange(9).reshape(3, 3)
    small = as_stack(maps)
    assert small.shape == (1, 67, 33)
    assert small[0, 0, 0] == 4
    assert small.sum() == 4
    assert as_stack(np.zeros((2, 96, 3))).shape == (2, 96, 3)


def test_zero_maps_stay_dark_or_white() -> None:
    assert levels(np.zeros((1, 1, 1)), signed=False).tolist() == [[[0]]]
    assert levels(np.zeros((1, 1, 1)), signed=True).tolist() == [[[127]]]


def test_similarities_are_drawn_from_one() -> None:
    check = MapCheck()
    check.show_maps(np.zeros((3, 2, 2)), ["a", "b"], [0.5, -0.25], total=8)
    chart = check.charts["similarity"]
    assert chart.points == ([0, 1, 2], [1, 0.5, -0.25])
    assert (chart.ticks[0], chart.ticks[-1], chart.end) == (-0.5, 1, 8)
    check.show_maps(np.zeros((1, 2, 2)), [], [])
    assert check.charts["similarity"].points == ([0, 1, 2], [1, 0.5, -0.25])


def test_curves_carry_their_areas_and_the_random_ones_are_grey() -> None:
    check = MapCheck()
    grey = [[1.0, 1.0, 0.0], [1.0, 0.5, 0.0]]
    check.show_curves(X, [1.0, 0.5, 0.0], [0.0, 0.25, 1.0], grey, grey[:1], unit="probability")
    charts = check.charts
    assert charts["deletion"].title == "Deletion: probability, area 0.5 (random 0.625)"
    assert charts["insertion"].title == "Insertion: probability, area 0.375 (random 0.75)"
    assert charts["deletion"].points == (X, [1, 0.5, 0])
    assert charts["deletion"].grey.tolist() == grey
    sent = [chart["grey"] for chart in check._pushed["charts"][0]["charts"]]
    assert sent == [grey, grey[:1]]


def test_what_is_not_known_yet_is_not_drawn() -> None:
    check = MapCheck()
    nan = float("nan")
    check.show_curves(X, [1.0, nan, 0.0], [0.0, nan, 1.0], [[1.0, nan, 0.0], [1.0, 0.5, 0.0]], [])
    chart = check.charts["deletion"]
    assert chart.title == "Deletion: score"
    assert chart.points == ([0], [1])
    assert np.atleast_2d(chart.grey).tolist() == [[1, 0.5, 0]]
    check.show_curves(X, [nan] * 3, [nan] * 3)
    assert check.charts["deletion"].points == ([], [])


def test_what_was_stopped_is_marked_as_partial() -> None:
    check = MapCheck()
    nan = float("nan")
    check.begin()
    check.show_maps(np.zeros((3, 2, 2)), ["a", "b"], [0.5, 0.25], total=8)
    check.show_curves(X, [1.0, nan, nan], [0.0, 0.5, 1.0], [], [[0.0, nan, nan], [0.0, 0.5, 1.0]])
    assert not any("Partial" in chart.heading for chart in check.charts.values()), "more is to come"
    check.stop("Stopped.")
    assert [chart.heading for chart in check.charts.values()] == [
        "Partial, stopped at 2 of 8 stages. Similarity to the original, by stage",
        "Partial, stopped at 1 of 3 points. Deletion: score; lower is better",
        "Partial, stopped at 1 of 2 grey lines. Insertion: score, area 0.5 (random 0.5); higher is better",
    ]
    assert all(chart["partial"] for chart in check._pushed["charts"][0]["charts"])
    assert pushed(check)[0]["total"] == 8


def test_a_chart_that_is_complete_is_not() -> None:
    check = MapCheck()
    check.show_maps(np.zeros((2, 2, 2)), ["a"], [0.5])
    check.show_curves(X, X, X, [X], [X])
    check.stop("Stopped.")
    assert not any("Partial" in chart.heading for chart in check.charts.values())
    assert not any(chart["partial"] for chart in check._pushed["charts"][0]["charts"])


def test_ticks_hold_the_values_between_them() -> None:
    for low, high in [(0, 1), (-0.24, 1), (0, 11.6), (-3e-4, 2e-4), (0, 1e-9), (-1200, 44)]:
        ticks = round_ticks(low, high)
        assert ticks[0] <= low
        assert ticks[-1] >= high
        assert 2 <= len(ticks) <= 6
        assert np.allclose(np.diff(ticks), ticks[1] - ticks[0])


def test_states_follow_one_another() -> None:
    check = MapCheck()
    panel = check.panel
    assert (panel.state, panel.hint) == ("empty", "There is no map to check.")
    check.offer("It takes long.")
    assert (panel.state, panel.hint) == ("idle", "It takes long.")
    check.begin("Copying")
    assert (panel.state, panel.hint, panel.progress, panel.progress_text) == ("running", "", 0, "Copying")
    check.show_progress(1.5, "nearly")
    assert (panel.progress, panel.progress_text) == (1, "nearly")
    check.show_maps(np.zeros((2, 2, 2)), ["a"], [0.5])
    check.stop("Stopped.", "in part", ["n"])
    assert (panel.state, panel.sentence, panel.badge, panel.notes) == ("stopped", "Stopped.", "in part", ["n"])
    assert check.charts.keys() == {"similarity"}
    check.conclude("So it is.", "checked", "warn")
    assert (panel.state, panel.level, panel.progress) == ("done", "warn", None)
    check.offer()
    assert (panel.state, panel.sentence, panel.badge, panel.level, panel.notes) == ("idle", "", "", "info", [])
    assert (check.charts, panel._pushed) == ({}, {})


def test_an_error_takes_half_results_away_and_another_try_the_error() -> None:
    check, tried = MapCheck(), []
    check.on_check = lambda: tried.append(1)
    check.begin()
    check.show_curves(X, X, X)
    check.show_error(ValueError("no <b>"))
    assert (check.panel.error, check.panel.state, check.charts) == ("no <b>", "idle", {})
    check.panel._receive(None, {"op": "check", "id": 1}, [])
    assert (tried, check.panel.error) == ([1], "")


def test_clicks_reach_whoever_listens() -> None:
    check, said = MapCheck(), []
    check.on_check, check.on_cancel = lambda: said.append("check"), lambda: said.append("cancel")
    for op in ("check", "cancel", "nonsense"):
        check.panel._receive(None, {"op": op, "id": 1}, [])
    assert said == ["check", "cancel"]
    check.busy = True
    assert check.panel.busy


def test_shapes_that_do_not_fit_are_refused() -> None:
    check = MapCheck()
    with pytest.raises(InputError, match="3 maps, 1 layers and 1"):
        check.show_maps(np.zeros((3, 2, 2)), ["a"], [0.0])
    with pytest.raises(InputError, match="expected \\(n, h, w\\)"):
        check.show_maps(np.zeros((2, 2)), ["a"], [0.0])
    with pytest.raises(InputError, match="real numbers"):
        check.show_maps([["a"]], [], [])
    with pytest.raises(InputError, match="2 points for 3"):
        check.show_curves(X, X[:2], X)
    with pytest.raises(InputError, match="repeats, 3"):
        check.show_curves(X, X, X, X)


def test_closing_leaves_no_widget_behind() -> None:
    def alive() -> set[str]:
        gc.collect()
        return set(ipywidgets.widget._instances)

    before = alive()
    check = MapCheck()
    check.show_maps(np.zeros((2, 2, 2)), ["a"], [0.5])
    check.show_curves(X, X, X)
    check.layout.close()
    check.close()
    assert alive() - before == set()
