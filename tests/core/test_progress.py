from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from cnnwidgets.core.errors import Cancelled, CnnWidgetsError
from cnnwidgets.core.progress import Meter, Step


def test_time_left_is_in_proportion_to_the_work_left() -> None:
    clock = iter([100.0, 102.0, 109.0])
    steps: list[Step] = []
    meter = Meter(steps.append, 10, clock=lambda: next(clock))
    meter.advance(2, partial="so far")
    meter.advance(4)
    assert steps == [Step(2, 10, 2.0, 8.0, "so far"), Step(6, 10, 9.0, 6.0, None)]


def test_nothing_done_yet_has_no_estimate() -> None:
    steps: list[Step] = []
    Meter(steps.append, 10).advance(0)
    assert steps[0].remaining is None


def test_a_callback_stops_the_work() -> None:
    def stop(step: Step) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"), Meter(stop, 3) as meter:
        meter.advance()


@pytest.mark.parametrize("silent", [None, False])
def test_silence(silent, capsys: pytest.CaptureFixture[str]) -> None:
    with Meter(silent, 2) as meter:
        meter.advance(2)
    assert meter.done == 2
    assert capsys.readouterr() == ("", "")


def test_a_bar_is_moved_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[object] = []

    class Bar:
        n = 0

        def __init__(self, total: int) -> None:
            events.append(("total", total))

        def update(self, units: int) -> None:
            self.n += units
            events.append(units)

        def close(self) -> None:
            events.append("closed")

    monkeypatch.setitem(sys.modules, "tqdm.auto", SimpleNamespace(tqdm=Bar))

    def work() -> None:
        with Meter(True, 5) as meter:
            meter.advance(2)
            meter.advance(1)
            raise ValueError("mid")

    with pytest.raises(ValueError, match="mid"):
        work()
    assert events == [("total", 5), 2, 1, "closed"]


def test_without_tqdm_true_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with Meter(True, 1) as meter:
        meter.advance()


def test_what_is_no_callback() -> None:
    with pytest.raises(CnnWidgetsError, match="'yes'"):
        Meter("yes", 1)  # type: ignore[arg-type]
