"""What kind of layer something is, and how a reader would call it: "Conv 3×3 /2", "BN", "ReLU6"."""

from __future__ import annotations

import re
from typing import Any

from torch import nn

from .receptive.call import RuleCall, each, is_pointwise

KINDS = ("conv", "norm", "activation", "pool", "linear", "attention", "dropout", "reshape", "other")
"""Every value that ``LayerInfo.kind`` can take."""

_NAMES = {
    "conv": "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution deform_conv2d",
    "norm": "batch_norm layer_norm group_norm instance_norm local_response_norm rms_norm native_batch_norm",
    "activation": "relu relu6 hardtanh leaky_relu elu selu celu gelu silu mish hardswish hardsigmoid softplus "
    "logsigmoid sigmoid tanh prelu rrelu threshold softsign tanhshrink hardshrink softshrink glu softmax log_softmax "
    "clamp clamp_min",
    "linear": "linear bilinear matmul mm bmm addmm baddbmm einsum rmatmul embedding lstm gru rnn_tanh rnn_relu",
    "attention": "scaled_dot_product_attention multi_head_attention_forward",
    "dropout": "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout",
    "reshape": "view reshape flatten unflatten squeeze unsqueeze permute transpose swapaxes movedim moveaxis t T mT "
    "expand pad pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle interpolate upsample chunk split "
    "unbind getitem narrow select cat concat stack unfold fold roll flip view_as reshape_as contiguous",
}
_KIND = {name: kind for kind, names in _NAMES.items() for name in names.split()}
# Of several calls in one layer, the kind that comes first here names the layer.
_PRIORITY = ("attention", "conv", "linear", "norm", "pool", "activation", "dropout", "reshape", "other")
_SHORT = {
    "batch_norm": "BN", "layer_norm": "LN", "group_norm": "GN", "instance_norm": "IN", "local_response_norm": "LRN",
    "rms_norm": "RMSNorm", "relu": "ReLU", "relu6": "ReLU6", "leaky_relu": "LeakyReLU", "elu": "ELU", "selu": "SELU",
    "celu": "CELU", "gelu": "GELU", "silu": "SiLU", "mish": "Mish", "hardswish": "Hardswish", "softmax": "Softmax",
    "hardsigmoid": "Hardsigmoid", "sigmoid": "Sigmoid", "tanh": "Tanh", "prelu": "PReLU", "log_softmax": "LogSoftmax",
    "scaled_dot_product_attention": "Attention", "lstm": "LSTM", "gru": "GRU", "native_batch_norm": "BN",
}  # fmt: skip


def kind_of_call(name: str) -> str:
    """The kind of one torch function, by its name."""
    return _KIND.get(name, "pool" if "pool" in name else "other")


def main_call(names: list[str]) -> int:
    """Which of a layer's calls, one at least, says what the layer is."""
    kinds = [kind_of_call(name) for name in names]
    return min(range(len(names)), key=lambda index: (_PRIORITY.index(kinds[index]), index))


def kind_of_module(module: nn.Module, names: list[str], *, has_params: bool) -> str:
    """The kind of a layer, from its class and the torch calls it made."""
    title = type(module).__name__
    if "drop" in title.lower() and not has_params:
        return "dropout"
    if isinstance(module, nn.Flatten | nn.Unflatten):
        return "reshape"
    if isinstance(module, nn.Identity) or not names:
        return "other"
    if not has_params and all(is_pointwise(name) for name in names):
        return "activation"
    return kind_of_call(names[main_call(names)])


def detail_of_module(module: nn.Module, kind: str, details: list[str], names: list[str]) -> str:
    """A few words on what the layer does, from its class and its calls' own details."""
    title = type(module).__name__
    if kind == "dropout":
        p = getattr(module, "p", getattr(module, "drop_prob", None))
        return f"Dropout {p:g}" if isinstance(p, int | float) and "path" not in title.lower() else title
    if kind in ("activation", "other"):
        return title
    if isinstance(module, nn.MultiheadAttention):
        return f"Attention, {module.num_heads} heads"
    return details[main_call(names)] if names else title


def detail_of_call(call: RuleCall) -> str:
    """A few words on one torch call, with the numbers that matter."""
    name = call.name
    try:
        if name.startswith("conv"):
            return _convolution_detail(call)
        if "pool" in name:
            return _pool_detail(call)
        if name in ("linear", "embedding"):
            weight = call.get(1, "weight")
            return f"Linear {weight.shape[1]} → {weight.shape[0]}" if name == "linear" else "Embedding"
        if name in ("interpolate", "upsample"):
            return "Resize to " + "×".join(map(str, call.output.shape[2:]))
        if name == "hardtanh" and call.get(1, "min_val", -1.0) == 0:
            top = call.get(2, "max_val", 1.0)
            return "ReLU6" if top == 6 else f"Clamp 0 to {top:g}"
    except (KeyError, IndexError, AttributeError, TypeError, ValueError):
        pass
    return _SHORT.get(name, name.replace("_", " ").capitalize())


def _convolution_detail(call: RuleCall) -> str:
    transposed = "transpose" in call.name
    weight, groups = call.get(1, "weight"), call.get(6, "groups", 1)
    dilation = call.get(7 if transposed else 5, "dilation", 1)
    depthwise = groups > 1 and groups == (weight.shape[0] if transposed else weight.shape[1] * groups)
    title = "Depthwise conv" if depthwise else "Transposed conv" if transposed else "Conv"
    words = [title, times(weight.shape[2:]), _stride_detail(call.get(3, "stride", 1))]
    if set(each(dilation, 1)) != {1}:
        words.append(f"dilation {times(dilation)}")
    if groups > 1 and not depthwise:
        words.append(f"in {groups} groups")
    return " ".join(word for word in words if word)


def _pool_detail(call: RuleCall) -> str:
    title = "Max pool" if "max" in call.name else "Average pool"
    axes = int(re.findall(r"\d", call.name)[0])
    if "adaptive" in call.name:
        sizes = tuple(call.output.shape[-axes:])
        return f"Global {title.lower()}" if set(sizes) == {1} else f"{title} to {times(sizes)}"
    kernel, stride = each(call.get(1, "kernel_size"), axes), call.get(2, "stride")
    return f"{title} {times(kernel)} {_stride_detail(kernel if stride is None or stride == [] else stride)}".strip()


def _stride_detail(value: Any) -> str:
    values = each(value, 1)
    if set(values) == {1}:
        return ""
    return f"/{values[0]}" if len(set(values)) == 1 else f"/{times(values)}"


def times(sizes: Any) -> str:
    """``3×3`` for (3, 3)."""
    return "×".join(map(str, each(sizes, 1)))
