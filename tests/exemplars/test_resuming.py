"""A pass that was cut short, killed, cancelled, or handed to several workers ends with the same bytes."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.exemplars import checkpoint
from cnnwidgets.exemplars.images import Images
from cnnwidgets.exemplars.tally import Query
from cnnwidgets.exemplars.workers import SearchTask, opened_task
from tests.exemplars.nets import Coarse, Listed, levels, small

ROOT = Path(__file__).parent.parent.parent
LAYERS = ["first", "second"]


def saved(exemplars: cw.exemplars.Exemplars, path: Path) -> bytes:
    exemplars.save(path)
    return path.read_bytes()


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    """What one pass without any interruption saves."""
    return saved(cw.exemplars.find(Coarse(), LAYERS, Listed(levels(200)), batch=16), tmp_path / "whole.npz")


@pytest.mark.parametrize(
    "error", [ValueError("torn page"), KeyboardInterrupt(), cw.Cancelled("enough"), MemoryError("no room")], ids=repr
)
def test_whatever_ends_the_pass_leaves_what_was_done(error: BaseException, tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "pass.npz"
    data = levels(200)
    expected = cw.exemplars.ItemError if isinstance(error, ValueError) else type(error)
    with pytest.raises(expected) as caught:
        cw.exemplars.find(Coarse(), LAYERS, Listed(data, bad=132, error=error), batch=16, checkpoint=path)
    if isinstance(error, ValueError):
        assert "Item 132 of the data set cannot be used: ValueError: torn page" in str(caught.value)
        assert caught.value.item == 132
    before = cw.exemplars.find(Coarse(), LAYERS, Listed(data[:128]), batch=16)
    for partial in (caught.value.partial, cw.exemplars.Exemplars.load(path)):
        for layer in LAYERS:
            np.testing.assert_array_equal(partial.images[layer], before.images[layer])
            np.testing.assert_array_equal(partial.values[layer], before.values[layer])
        assert "128 of 200 images were looked at" in partial.notes
    steps: list[Any] = []
    done = cw.exemplars.find(Coarse(), LAYERS, Listed(data), batch=16, checkpoint=path, progress=steps.append)
    assert saved(done, tmp_path / "done.npz") == whole
    assert [steps[0].done, steps[-1].done, steps[-1].total] == [16, 72, 72]
    steps.clear()
    again = cw.exemplars.find(Coarse(), LAYERS, Listed(data), batch=16, checkpoint=path, progress=steps.append)
    assert saved(again, tmp_path / "again.npz") == whole
    assert steps == [], "all had been done"


def test_cancelled_by_progress(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "pass.npz"

    def stop(step: Any) -> None:
        if step.done >= 64:
            raise cw.Cancelled("enough")

    with pytest.raises(cw.Cancelled) as caught:
        cw.exemplars.find(Coarse(), LAYERS, Listed(levels(200)), batch=16, checkpoint=path, progress=stop)
    assert caught.value.partial.images["first"].max() < 64
    done = cw.exemplars.find(Coarse(), LAYERS, Listed(levels(200)), checkpoint=path)
    assert saved(done, tmp_path / "done.npz") == whole, "the batch is that of the checkpoint"


def test_killed_processes_resume_to_the_same_bytes(tmp_path: Path) -> None:
    marker, path = tmp_path / "marker", tmp_path / "pass.npz"
    marker.touch()
    code = f"""
        from pathlib import Path
        import torch
        from tests.exemplars.nets import Listed, small
        from cnnwidgets.exemplars import checkpoint, find
        checkpoint.SECONDS = 0.0
        torch.set_num_threads(1)
        images = torch.rand(150, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        data = Listed(images, bad=101, marker={str(marker)!r})
        find(small(), ["0", "3"], data, batch=8, checkpoint={str(path)!r}).save(CHOSEN)
    """
    runs = []
    for name in ("killed", "resumed"):
        script = textwrap.dedent(code).replace("CHOSEN", repr(str(tmp_path / f"{name}.npz")))
        runs.append(
            subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
        )
        if name == "killed":
            assert path.exists(), runs[0].stderr
            assert "96 of 150 images were looked at" in cw.exemplars.Exemplars.load(path).notes
            path.with_name("copy.npz").write_bytes(path.read_bytes())
    assert [run.returncode for run in runs] == [-9, 0], runs[1].stderr
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    images = torch.rand(150, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    once = cw.exemplars.find(small(), ["0", "3"], Listed(images), batch=8)
    torch.set_num_threads(threads)
    assert saved(once, tmp_path / "once.npz") == (tmp_path / "resumed.npz").read_bytes()
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": small(seed=1)}, "another network"),
        ({"layers": ["0"]}, "another choice of layers"),
        ({"k": 4}, "another k"),
        ({"channels": [1]}, "another choice of channels"),
        ({"distinct_images": False}, "another distinct_images"),
        ({"dataset": torch.zeros(20, 3, 12, 12)}, "another data set"),
        ({"dataset": torch.rand(21, 3, 12, 12)}, "another data set"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_checkpoint_of_something_else_is_refused(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = tmp_path / "pass.npz"
    torch.manual_seed(0)
    arguments: dict[str, Any] = {"model": small(), "layers": ["0", "3"], "dataset": torch.rand(20, 3, 12, 12)}
    cw.exemplars.find(**arguments, checkpoint=path)
    cw.exemplars.find(**arguments, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(cw.InputError, match=words):
        cw.exemplars.find(**(arguments | change), checkpoint=path)
    assert path.read_bytes() == before


def test_files_that_are_no_checkpoint(tmp_path: Path) -> None:
    data = torch.rand(20, 3, 12, 12)
    torn, other, result = tmp_path / "torn.npz", tmp_path / "other.npz", tmp_path / "result.npz"
    cw.exemplars.find(small(), "0", data).save(result)
    torn.write_bytes(result.read_bytes()[:500])
    np.savez(other, a=np.zeros(3))
    for path, words in ((torn, "damaged"), (other, "holds no exemplars"), (result, "and no checkpoint")):
        with pytest.raises(cw.InputError, match=words):
            cw.exemplars.find(small(), "0", data, checkpoint=path)


def executors() -> dict[str, Any]:
    spawn = multiprocessing.get_context("spawn")
    return {"threads": lambda: ThreadPoolExecutor(3), "processes": lambda: ProcessPoolExecutor(2, mp_context=spawn)}


@pytest.mark.parametrize("kind", executors())
def test_workers_find_the_same(kind: str, tmp_path: Path, whole: bytes) -> None:
    path, steps = tmp_path / "pass.npz", list[Any]()
    with executors()[kind]() as executor:
        found = cw.exemplars.find(
            Coarse(), LAYERS, Listed(levels(200)), batch=16, executor=executor, checkpoint=path, progress=steps.append
        )
        assert saved(found, tmp_path / "workers.npz") == whole
        assert steps[-1].done == steps[-1].total == 200
        path.unlink()
        bad = Listed(levels(200), bad=132, error=ValueError("torn page"))
        with pytest.raises(cw.exemplars.ItemError, match="Item 132 of the data set cannot be used: ValueError: torn"):
            cw.exemplars.find(Coarse(), LAYERS, bad, batch=16, executor=executor, checkpoint=path)
    # What the workers have left out, this process looks at.
    done = cw.exemplars.find(Coarse(), LAYERS, Listed(levels(200)), batch=16, checkpoint=path)
    assert saved(done, tmp_path / "done.npz") == whole


def test_threads_have_a_network_each() -> None:
    images, query = Images(levels(4)), Query(k=1, channels=None, distinct=True, batch=2)
    content = SearchTask(Coarse(), images, tuple(LAYERS), query).pickled()
    barrier = threading.Barrier(2)

    def opened(_: int) -> nn.Module:
        barrier.wait(10)
        return opened_task(content)[0].model

    with ThreadPoolExecutor(2) as executor:
        one, other = executor.map(opened, range(2))
    assert one is not other


class Broken(Executor):
    """Its workers fail, each in its way."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        from concurrent.futures import Future

        future: Future[Any] = Future()
        future.set_exception(OSError("the cable was cut"))
        return future


def test_workers_that_fail() -> None:
    data = levels(40)
    with pytest.raises(cw.CnnWidgetsError, match="A worker of the executor failed: OSError: the cable was cut"):
        cw.exemplars.find(Coarse(), LAYERS, data, executor=Broken())
    with pytest.raises(cw.InputError, match="gives its images by index"):
        cw.exemplars.find(Coarse(), LAYERS, iter(data), executor=Broken())
    net = Coarse()
    net.first.lock = threading.Lock()
    with pytest.raises(cw.InputError, match="must be picklable"):
        cw.exemplars.find(net, LAYERS, data, executor=Broken())


def test_a_killed_worker_of_a_pool_is_said(tmp_path: Path) -> None:
    marker, path = tmp_path / "marker", tmp_path / "pass.npz"
    marker.touch()
    data = Listed(levels(200), bad=180, marker=str(marker))
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor,
        pytest.raises(cw.CnnWidgetsError, match="A worker of the executor failed: BrokenProcessPool"),
    ):
        cw.exemplars.find(Coarse(), LAYERS, data, batch=16, executor=executor, checkpoint=path)
    done = cw.exemplars.find(Coarse(), LAYERS, data, batch=16, checkpoint=path)
    once = cw.exemplars.find(Coarse(), LAYERS, Listed(levels(200)), batch=16)
    assert saved(done, tmp_path / "done.npz") == saved(once, tmp_path / "once.npz")


@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_one_of_whose_workers_is_killed(tmp_path: Path, whole: bytes) -> None:
    from distributed import Client, LocalCluster

    marker = tmp_path / "marker"
    marker.touch()
    data = Listed(levels(200), bad=100, marker=str(marker))
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            local_directory=str(tmp_path),
        ) as cluster,
        Client(cluster) as client,
    ):
        pids = set(client.run(os.getpid).values())
        found = cw.exemplars.find(Coarse(), LAYERS, data, batch=16, executor=client.get_executor())
        assert not marker.exists(), "a worker was killed"
        client.wait_for_workers(2)
        assert len(set(client.run(os.getpid).values()) & pids) == 1, "one of them"
    assert saved(found, tmp_path / "cluster.npz") == whole


def test_the_checkpoint_is_written_every_so_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, exists, data = tmp_path / "pass.npz", list[bool](), torch.rand(8, 3, 12, 12)

    def look(step: Any) -> None:
        exists.append(path.exists())

    cw.exemplars.find(small(), "0", data, batch=2, checkpoint=path, progress=look)
    assert exists == [False] * 4
    path.unlink()
    exists.clear()
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    cw.exemplars.find(small(), "0", data, batch=2, checkpoint=path, progress=look)
    assert exists == [True] * 4
