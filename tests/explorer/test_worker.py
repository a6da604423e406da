from __future__ import annotations

import threading

import pytest

from cnnwidgets.explorer.work.worker import Worker


def test_the_newest_job_stops_the_one_before_and_each_is_called() -> None:
    worker, done = Worker(), []
    running = threading.Event()

    def first(stop: threading.Event) -> None:
        running.set()
        assert stop.wait(5)
        done.append("first")

    worker.submit(first)
    assert running.wait(5)
    worker.submit(lambda stop: done.append(f"second stopped={stop.is_set()}"))
    worker.submit(lambda stop: done.append(f"third stopped={stop.is_set()}"))
    worker.wait(5)
    assert done == ["first", "second stopped=True", "third stopped=False"]
    worker.close()


def test_a_cancelled_job_is_still_the_newest_and_a_superseded_one_is_not() -> None:
    worker = Worker()
    stops: list[threading.Event] = []

    def job(stop: threading.Event) -> None:
        stops.append(stop)
        stop.wait(5)

    worker.submit(job)
    worker.cancel()
    worker.wait(5)
    assert worker.is_newest(stops[0])
    worker.submit(job)
    worker.supersede()
    worker.wait(5)
    assert not worker.is_newest(stops[1])
    worker.close()


def test_wait_returns_at_once_without_work_and_times_out_with() -> None:
    worker, go = Worker(), threading.Event()
    worker.wait(0)

    def job(stop: threading.Event) -> None:
        go.wait(5)

    worker.submit(job)
    with pytest.raises(TimeoutError):
        worker.wait(0.05)
    go.set()
    worker.wait(5)
    worker.close()


def test_after_closing_waiting_ends() -> None:
    worker, running = Worker(), threading.Event()

    def job(stop: threading.Event) -> None:
        running.set()
        stop.wait(5)

    worker.submit(job)
    assert running.wait(5)
    worker.submit(job)
    worker.close()
    worker.wait(5)


def test_a_thread_without_work_ends_and_the_next_job_gets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnwidgets.explorer.work.worker._IDLE", 0.05)
    worker, threads = Worker(), []
    for _ in range(2):
        worker.submit(lambda stop: threads.append(threading.current_thread()))  # noqa: ARG005
        worker.wait(5)
        threads[-1].join(5)
        assert not threads[-1].is_alive()
    assert threads[0] is not threads[1]
    assert all(thread.daemon for thread in threads)
    worker.close()


def test_a_job_that_raises_does_not_stop_the_next() -> None:
    worker, done = Worker(), []

    def fail(_: threading.Event) -> None:
        raise SystemExit

    worker.submit(fail)
    worker.submit(lambda stop: done.append(1))  # noqa: ARG005
    worker.wait(5)
    assert done == [1]
    worker.close()
