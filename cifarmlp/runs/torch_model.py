"""A network in PyTorch's names and layouts: a state dict, and the text of the module that it belongs to."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cifarmlp import __version__
from cifarmlp.config import Config
from cifarmlp.nn import Float
from cifarmlp.nn.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from cifarmlp.nn.block import Block
from cifarmlp.nn.dropout import Dropout
from cifarmlp.nn.layers import BatchNorm, Linear
from cifarmlp.runs.model import outputs_of
from cifarmlp.training.loop import Training

MODULE = '''\
"""{name}, seed {seed}: a network by cifarmlp {version}. Its weights: the .safetensors file beside this one.

    model = load()
    {outputs} = model(images)

images: (n, 3, 32, 32) uint8, raw pixels from 0 to 255, red, green, blue. {outputs}: (n, 10), of CLASSES.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

CLASSES = {classes}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("pixel_mean", torch.zeros(3072))
        self.register_buffer("pixel_std", torch.ones(3072))
        self.layers = nn.Sequential(
{layers}
        )

    def logits(self, images):
        return self.layers((images.flatten(1) - self.pixel_mean) / self.pixel_std)

    def forward(self, images):
        return self.logits(images){view}


def load():
    model = Model()
    model.load_state_dict(load_file(Path(__file__).with_suffix(".safetensors")))
    return model.eval()
'''
VIEWS = {  # of the logits, by the loss of the training; see `model.probabilities`
    "cross_entropy": ".softmax(dim=1)",
    "binary_cross_entropy": ".sigmoid()",
    "hinge": "",
}


def _linear(block: Linear) -> str:
    _, fan_in, fan_out = block.W.shape
    return f"nn.Linear({fan_in}, {fan_out}{'' if block.b is not None else ', bias=False'})"


def _batch_norm(block: BatchNorm) -> str:
    share = float(f"{1 - float(block.momentum):.6g}")  # of the new, where ours is that of the old
    return f"nn.BatchNorm1d({len(block.gamma)}, eps={float(f'{block.eps:.7g}')}, momentum={share})"


LINES: Mapping[type[Block], Callable[[Any], str]] = {
    Linear: _linear,
    BatchNorm: _batch_norm,
    Dropout: lambda block: f"nn.Dropout({block.rate})",
    ReLU: lambda block: "nn.ReLU()",
    LeakyReLU: lambda block: f"nn.LeakyReLU({block.slope})",
    ELU: lambda block: f"nn.ELU({block.alpha})",
    GELU: lambda block: "nn.GELU()",
    Tanh: lambda block: "nn.Tanh()",
    Sigmoid: lambda block: "nn.Sigmoid()",
}


def module_text(training: Training, config: Config, names: tuple[str, ...]) -> str:
    """Return a Python module with the class Model and the function load; names: of the classes."""
    view, outputs = VIEWS[config.training.loss.kind], outputs_of(config)
    layers = "\n".join(f"            {LINES[type(block)](block)}," for block in training.network.blocks)
    about = {"name": config.name, "seed": config.seed, "version": __version__, "classes": json.dumps(names)}
    return MODULE.format(**about, layers=layers, view=view, outputs=outputs)


def state_bytes(training: Training) -> bytes:
    """Return a .safetensors file with the `state_dict`."""
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(array) for name, array in state_dict(training).items()}
    return bytes(save(arrays, metadata={"format": "pt"}))


def state_dict(training: Training) -> dict[str, Float]:
    """Return the arrays by PyTorch's names for the module of `module_text`, float32.

    `layers.0.weight` (out, in) and `layers.0.bias` (out,) of a linear layer; `weight`, `bias`, `running_mean`
    and `running_var` of batch norm; `pixel_mean`, `pixel_std` (3072,).
    """
    # A pixel that was always the same says nothing, and neither does a unit: see `BatchNorm.scale`.
    std = np.where(training.std > 0, training.std, np.float32(np.inf))
    state = {"pixel_mean": training.mean, "pixel_std": std}
    for i, block in enumerate(training.network.blocks):
        if isinstance(block, Linear | BatchNorm):
            state |= {f"layers.{i}.{name}": array for name, array in _arrays_of(block).items()}
    return state


def _arrays_of(block: Linear | BatchNorm) -> dict[str, Float]:
    if isinstance(block, BatchNorm):
        gamma = np.where(block.scale() == 0, np.float32(0), block.gamma)
        return {"weight": gamma, "bias": block.beta, "running_mean": block.mean, "running_var": block.var}
    return {"weight": block.W[0].T} | ({} if block.b is None else {"bias": block.b})
