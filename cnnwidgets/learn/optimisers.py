"""How gradients change the weights: a step downhill, or Adam's, whose length is fitted to each weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cnnwidgets.core.arguments import is_number
from cnnwidgets.core.errors import InputError

from .layer import Array, Layer

Key = tuple[int, str]


class Optimiser:
    """Changes the parameters of ``layers`` in place, by the gradients of their last backward pass.

    Args:
        layers: of a network.
        rate: the learning rate, the length of a step.
    """

    def __init__(self, layers: Sequence[Layer], rate: float) -> None:
        if not is_number(rate) or not rate > 0:
            raise InputError(f"rate is {rate!r}; expected a number above 0, as 0.01.")
        self.layers, self.rate = list(layers), rate

    def step(self) -> None:
        """One step."""
        raise NotImplementedError

    def _gradients(self) -> Iterator[tuple[Key, Array, Array]]:
        """(key, parameter, gradient) of all that are learned."""
        for number, layer in enumerate(self.layers):
            for name, parameter in layer.parameters.items():
                if name not in layer.gradients:
                    raise InputError(
                        f"Layer {number}, {type(layer).__name__}, has no gradient for {name!r}: go forward and "
                        "backward first."
                    )
                yield (number, name), parameter, layer.gradients[name]


class SGD(Optimiser):
    """Stochastic gradient descent: ``parameter -= rate * gradient``.

    Args:
        layers: of a network.
        rate: the length of a step.
        momentum: how much of the last step is added to this one, 0 to 1, as a ball keeps rolling.
    """

    def __init__(self, layers: Sequence[Layer], rate: float = 0.01, *, momentum: float = 0.0) -> None:
        super().__init__(layers, rate)
        if not is_number(momentum) or not 0 <= momentum < 1:
            raise InputError(f"momentum is {momentum!r}; expected a number from 0 to below 1.")
        self.momentum = momentum
        self._velocities: dict[Key, Array] = {}

    def step(self) -> None:
        for key, parameter, gradient in self._gradients():
            velocity = self.momentum * self._velocities.get(key, 0.0) + gradient
            self._velocities[key] = velocity
            parameter -= self.rate * velocity


class Adam(Optimiser):
    """Adam (Kingma and Ba 2015): each weight's step is divided by how large its gradients have been.

    Args:
        layers: of a network.
        rate: about the most that a weight changes in a step.
        betas: how slowly the running means of the gradient and of its square forget.
        epsilon: keeps the division from being by zero.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        rate: float = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(layers, rate)
        if not all(is_number(beta) and 0 <= beta < 1 for beta in betas):
            raise InputError(f"betas are {betas!r}; expected two numbers from 0 to below 1.")
        self.betas, self.epsilon, self._steps = betas, epsilon, 0
        self._means: dict[Key, Array] = {}
        self._squares: dict[Key, Array] = {}

    def step(self) -> None:
        self._steps += 1
        first, second = self.betas
        for key, parameter, gradient in self._gradients():
            mean = first * self._means.get(key, 0.0) + (1 - first) * gradient
            square = second * self._squares.get(key, 0.0) + (1 - second) * gradient**2
            self._means[key], self._squares[key] = mean, square
            # Both means began at zero, so that at first they are too small: divided by how much they hold so far.
            mean, square = mean / (1 - first**self._steps), square / (1 - second**self._steps)
            parameter -= self.rate * mean / (np.sqrt(square) + self.epsilon)
