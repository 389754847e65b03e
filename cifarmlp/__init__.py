"""Experiments with fully connected networks on CIFAR-10."""

__version__ = "0.2.0"
