"""Non-negative and semi-non-negative matrix factorisation, the same each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_MOST_ITERATIONS = 200
_SMALL_GAIN = 1e-5
_SMALL = 2**20
"""Numbers up to which it is done in float64."""
_ROUNDS = 20

Numbers = npt.NDArray[np.floating[Any]]


def factorised(matrix: Numbers, k: int, seed: int, *, signed: bool) -> tuple[Numbers, Numbers]:
    """``matrix`` (P, K) as near to ``W @ H`` as k groups allow: W (P, k) not negative; H (k, K) neither, unless signed.

    By hierarchical alternating least squares (Cichocki and Phan 2009), from the NNDSVD (Boutsidis and Gallopoulos
    2008). Signed: semi-NMF (Ding, Li and Jordan 2010), H being the least-squares solution for W in each turn, from
    clusters of places. No turn makes it worse. Rows of H have length 1; the largest group comes first.
    """
    scale = float(np.abs(matrix).max())
    a: Numbers = (matrix / scale).astype(np.float64 if matrix.size <= _SMALL else np.float32)
    w, h = _clusters(a, k, seed) if signed else _singular_vectors(a, k, seed)
    size, before = float((a * a).sum()), np.inf
    for _ in range(_MOST_ITERATIONS):
        if signed:
            h = _solved(w, a)
        else:
            _descend(h, w.T @ a, w.T @ w)
        target, gram = h @ a.T, h @ h.T
        w = np.ascontiguousarray(w.T)
        _descend(w, target, gram)
        error = size - 2 * float((w * target).sum()) + float(((w @ w.T) * gram).sum())
        w = w.T
        if before - error <= _SMALL_GAIN * size:
            break
        before = error
    h = _solved(w, a) if signed else h
    length = np.linalg.norm(h, axis=1)
    h, w = h / np.where(length > 0, length, 1.0)[:, None], w * length
    order = np.argsort(-np.linalg.norm(w, axis=0), kind="stable")
    return w[:, order] * scale, h[order]


def _singular_vectors(a: Numbers, k: int, seed: int) -> tuple[Numbers, Numbers]:
    """NNDSVD: the larger of the positive and the negative part of each singular pair; zeros a little above it."""
    # By the smaller of the two Gram matrices: exact, and quick where there are few places.
    wide = a.shape[0] <= a.shape[1]
    squares, vectors = np.linalg.eigh(a @ a.T if wide else a.T @ a)
    values, vectors = np.sqrt(np.clip(squares[::-1][:k], 0, None)), vectors[:, ::-1][:, :k]
    tiny = np.finfo(a.dtype).eps * max(float(values[0]), 1e-30)
    other = (a.T @ vectors if wide else a @ vectors) / np.where(values > tiny, values, np.inf)
    u, v = (vectors, other) if wide else (other, vectors)
    w, h = np.zeros_like(u), np.zeros_like(v.T)
    for number in range(k):
        parts = [(np.clip(sign * u[:, number], 0, None), np.clip(sign * v[:, number], 0, None)) for sign in (1, -1)]
        left, right = max(parts, key=lambda pair: float(np.linalg.norm(pair[0]) * np.linalg.norm(pair[1])))
        lengths = float(np.linalg.norm(left)), float(np.linalg.norm(right))
        if min(lengths) > 0:
            size = np.sqrt(values[number] * lengths[0] * lengths[1])
            w[:, number], h[number] = left / lengths[0] * size, right / lengths[1] * size
    noise, faint = np.random.default_rng(seed), float(np.abs(a).mean()) / 100
    for part in (w, h):
        part += np.where(part == 0, noise.random(part.shape) * faint, 0.0).astype(a.dtype)
    return w, h


def _clusters(a: Numbers, k: int, seed: int) -> tuple[Numbers, Numbers]:
    """Spherical k-means over the places, each new centre begun where it is farthest from those before."""
    length = np.linalg.norm(a, axis=1)
    unit = a / np.where(length > 0, length, 1.0)[:, None]
    centres = [unit[int(length.argmax())]]
    for _ in range(k - 1):
        nearest = (unit @ np.stack(centres).T).max(1)
        centres.append(unit[int((length * (1 - nearest)).argmax())])
    h = np.stack(centres)
    for _ in range(_ROUNDS):
        labels = (unit @ h.T).argmax(1)
        sums = np.stack([a[labels == number].sum(0) for number in range(k)])
        sizes = np.linalg.norm(sums, axis=1, keepdims=True)
        h = np.where(sizes > 0, sums / np.where(sizes > 0, sizes, 1.0), h)
    w = np.where(labels[:, None] == np.arange(k), np.clip(a @ h.T, 0, None), 0.0).astype(a.dtype)
    empty = ~w.any(0)  # as many as the places have no direction of their own for
    faint = float(np.abs(a).mean()) / 100
    w[:, empty] = np.random.default_rng(seed).random((len(a), int(empty.sum()))) * faint
    return w, h


def _descend(x: Numbers, target: Numbers, gram: Numbers) -> None:
    """One turn of each row of ``x`` (k, n) to where it fits best, the others as they are, and not negative."""
    for row in range(len(x)):
        weight = gram[row, row]
        if weight > 0:
            x[row] = np.maximum(x[row] + (target[row] - gram[row] @ x) / weight, 0)


def _solved(w: Numbers, a: Numbers) -> Numbers:
    """The H for which ``w @ H`` is nearest to ``a``."""
    solution: Numbers = np.linalg.pinv(w.T @ w, hermitian=True) @ (w.T @ a)
    return solution
