"""A forward pass with an eye on the layers, run again until it is sure how what they return holds maps."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace

import torch
from torch import nn

from cnnwidgets.core.errors import InputError, LayerNotFound
from cnnwidgets.core.network import Network, unknown_layer
from cnnwidgets.outputs.targets import Chosen, Target, resolve
from cnnwidgets.running.forward import run
from cnnwidgets.tracing.function_layers import FunctionLayer, Key, function_layers, may_have_function_layers
from cnnwidgets.tracing.layouts.layouts import Layouts
from cnnwidgets.tracing.layouts.memory import Memory, remembered
from cnnwidgets.tracing.layouts.plain_pass import PlainPass
from cnnwidgets.tracing.layouts.token_layout import CustomForm, Tokens, checked_tokens

from .gradients import fresh_input
from .layer_outputs import Output, Watch, WatchedCall
from .lean_graph import LeanGraph
from .relu_rules import Guidance, Rule

Functions = Mapping[Key, FunctionLayer]
DRIFT = (
    "the network moves or cuts its input in another way each time it runs: the maps are placed as in one run of it, "
    "which may not be this one"
)


class ForwardPass:
    """What a model made of images, and what its layers did meanwhile.

    Attributes:
        watch: the layers' calls.
        guidance: what is to happen to the gradient at each ReLU.
        leaf: the images, to differentiate for.
        outputs: what the model returned.
    """

    def __init__(
        self, question: Question, watch: Watch, guidance: Guidance, leaf: torch.Tensor, x: torch.Tensor
    ) -> None:
        self._question, self.watch, self.guidance, self.leaf = question, watch, guidance, leaf
        with guidance.forward(), watch.following(), question.graph.recording() if question.graph else nullcontext():
            self.outputs = run(question.model, x)

    @functools.cached_property
    def resolved(self) -> tuple[torch.Tensor, Chosen]:
        """The score (N,) of each image, and its class or the callable; raises TargetError where the target is none."""
        return resolve(self._question.target, self.outputs, score=self._question.score, batch=len(self.leaf))


class Question:
    """Which score of which images is asked for, and what is known of the network's layers.

    Attributes:
        model, images, target, score: as for :func:`~cnnwidgets.explainers.grad_cam.grad_cam`.
        names: the layers that were asked for, None: all.
        functions: the model's function layers, where they were looked for.
        not_by_default: those of them that nobody gets who does not know of them: they are no default.
        memory: how what the layers return holds maps.
        graph: records the passes for a gradient at the calls that are kept, and none before; None: for any gradient.
        drift: what to say where the last pass may have gone another way than ``memory`` has it.

    Raises:
        LayerNotFound: no layer has one of the names; names the closest.
    """

    def __init__(
        self,
        model: nn.Module,
        images: torch.Tensor,
        target: Target,
        score: str,
        layers: Iterable[str | nn.Module] | None,
        tokens: Tokens,
        *,
        functions: Collection[str] = (),
    ) -> None:
        self.model, self.images, self.target, self.score = model, images, target, score
        self._tokens = tokens
        self.graph: LeanGraph | None = None
        self.not_by_default = frozenset[str]()
        self.memory, self.drift = Memory(Layouts(len(images))), tuple[str, ...]()
        if layers is None:
            self.names: list[str] | None = None
            usual = may_have_function_layers(model)
            every = function_layers(model, images) if usual or functions else {}
            self.functions: Functions = {key: layer for key, layer in every.items() if usual or layer.name in functions}
            self.not_by_default = frozenset(() if usual else functions)
        else:
            named = [located(model, images, layer) for layer in layers]
            self.names = [name for name, _ in named]
            self.functions = {key: layer for _, functions in named for key, layer in functions.items()}

    def watched(
        self,
        slot: Callable[[WatchedCall], Hashable | None],
        copies: Callable[[str, Output], bool],
        *,
        only: str | None = None,
        rule: Rule = "plain",
        images: torch.Tensor | None = None,
    ) -> ForwardPass:
        """A pass, in which calls are kept and their maps copied as :class:`~.layer_outputs.Watch` has it.

        Args:
            only: the layer to watch alone.
            rule: for the way back.
            images: others than the question's.
        """
        images = self.images if images is None else images
        leaf, x = fresh_input(images) if torch.is_grad_enabled() else (images, images.clone())
        guidance = Guidance(rule)
        functions = [function.name for function in self.functions.values()]
        plain = None if self.memory.answers(only, functions) else PlainPass(x)
        layouts = self.memory.layouts
        if layouts.batch != len(images):
            layouts = replace(layouts, batch=len(images))

        def noted_slot(call: WatchedCall) -> Hashable | None:
            guidance.mark(call)
            kept_in = slot(call)
            if kept_in is not None and self.graph is not None:
                self.graph.keep()
            return kept_in

        watch = Watch(self.model, layouts, noted_slot, copies, self.functions, only, plain)
        return ForwardPass(self, watch, guidance, leaf, x)

    def settled(self, look: Callable[[], ForwardPass]) -> ForwardPass:
        """The pass that ``look`` runs, once ``memory`` holds for it.

        The layers are read by what is remembered or, where that does not say, as the pass goes; and by a recording
        where the pass turns out to be odd.
        """
        self.memory, before = self._remembered(), None
        while True:
            forward_pass = look()
            watch, pathway = forward_pass.watch, forward_pass.watch.pathway
            signature = pathway.signature
            if not isinstance(pathway, PlainPass):
                if self.memory.agrees(signature):
                    self.drift = () if before in (None, signature) else (DRIFT,)
                    return forward_pass
                self.memory.forget()
            elif pathway.odd:
                self.memory, before = self._remembered(recorded=True), signature
            else:
                self.memory.learn(watch.layouts, signature, complete=not watch.alone)
                return forward_pass
            del forward_pass, watch  # and the maps they hold

    def _remembered(self, *, recorded: bool = False) -> Memory:
        """How the layers hold maps, and where those lie; ``recorded``: by a recording."""
        tokens = checked_tokens(self._tokens)
        if not callable(tokens):
            return remembered(self.model, self.images, tokens, recorded=recorded)
        if self.names is None:
            raise InputError("tokens is a function: say with layer= for which layer it makes maps.")
        batch = len(self.images)
        return Memory(Layouts(batch, custom=dict.fromkeys(self.names, CustomForm(tokens, batch))))


def located(model: nn.Module, images: torch.Tensor, layer: str | nn.Module) -> tuple[str, Functions]:
    """The name of ``layer``, and the model's function layers if it is one of those."""
    network = Network.of(model)
    try:
        return network.find(layer)[0], {}
    except LayerNotFound:
        if not isinstance(layer, str):
            raise
        functions = function_layers(model, images)
        names = {function.name for function in functions.values()}
        if layer in names:
            return layer, functions
        raise LayerNotFound(unknown_layer(layer, [*network.names, *sorted(names)])) from None
