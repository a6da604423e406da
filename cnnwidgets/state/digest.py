"""What a network computes, as a short text that is the same in another process; unlike a fingerprint, for files."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from cnnwidgets.core.network import Network


def network_digest(model: nn.Module) -> str:
    """A hash over the modules of ``model`` and every value in its parameters and buffers; 40 letters.

    Training mode, device and gradients do not count. About 0.1 s for ResNet-50.

    Example:
        >>> net = nn.Linear(2, 2)
        >>> before = network_digest(net)
        >>> with torch.no_grad():
        ...     _ = net.bias.add_(1)
        >>> network_digest(net) == before
        False
    """
    total = hashlib.sha1(usedforsecurity=False)
    for name, module in Network.of(model).layers:
        total.update(f"{name}:{type(module).__module__}.{type(module).__qualname__}".encode())
        if type(module).__module__.startswith("torch.nn."):
            total.update(module.extra_repr().encode())  # strides and the like, which no weight tells
        for table in (module._parameters, module._buffers):  # noqa: SLF001
            for own, value in table.items():
                if value is not None:
                    total.update(f"{own}:{value.dtype}:{tuple(value.shape)}".encode())
                    total.update(tensor_bytes(value))
    return total.hexdigest()


def tensor_bytes(tensor: torch.Tensor) -> bytes:
    """The values of ``tensor``, in order; empty where it has none."""
    tensor = tensor.detach()
    if tensor.is_meta or not tensor.numel():
        return b""
    tensor = tensor.dequantize() if tensor.is_quantized else tensor.to_dense() if tensor.is_sparse else tensor
    return tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
