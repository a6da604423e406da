"""A convolution or a pooling, one step at a time."""

from .widget import ConvolutionStepper as ConvolutionStepper
