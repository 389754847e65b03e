"""A network as an ONNX graph: images -> scaling of the pixels -> the network's blocks -> probabilities."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cifarmlp import __version__
from cifarmlp.config import Config
from cifarmlp.errors import ConfigError
from cifarmlp.nn.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from cifarmlp.nn.block import Block
from cifarmlp.nn.dropout import Dropout
from cifarmlp.nn.layers import BatchNorm, Linear
from cifarmlp.runs.model import outputs_of
from cifarmlp.training.loop import Training

OPSET, IR = 20, 9  # of ONNX 1.15: the first with Gelu
MOST_BYTES = 2**31 - 2**20  # of weights: a protobuf message has less than 2 GB


class Node(NamedTuple):
    """An operation on the output of the node before it, and on a constant if it has one."""

    operation: str
    constant: NDArray[Any] | None = None
    attributes: Mapping[str, Any] = {}


def _linear(block: Linear) -> Iterator[Node]:
    yield Node("MatMul", block.W[0])
    if block.b is not None:
        yield Node("Add", block.b)


def _batch_norm(block: BatchNorm) -> Iterator[Node]:
    # Not the operation BatchNormalization, which has no rule for units that never varied; see `scale`.
    yield Node("Sub", block.mean)
    yield Node("Mul", block.scale())
    yield Node("Add", block.beta)


NODES: Mapping[type[Block], Callable[[Any], Iterator[Node]]] = {
    Linear: _linear,
    BatchNorm: _batch_norm,
    Dropout: lambda block: iter(()),
    ReLU: lambda block: iter([Node("Relu")]),
    LeakyReLU: lambda block: iter([Node("LeakyRelu", attributes={"alpha": block.slope})]),
    ELU: lambda block: iter([Node("Elu", attributes={"alpha": block.alpha})]),
    GELU: lambda block: iter([Node("Gelu")]),
    Tanh: lambda block: iter([Node("Tanh")]),
    Sigmoid: lambda block: iter([Node("Sigmoid")]),
}
LAST = {  # by the loss of the training; see `model.probabilities`
    "cross_entropy": Node("Softmax", attributes={"axis": 1}),
    "binary_cross_entropy": Node("Sigmoid"),
    "hinge": Node("Identity"),
}


def graph_bytes(training: Training, config: Config, names: tuple[str, ...]) -> bytes:
    """Return an .onnx file: `images` (n, 3, 32, 32) uint8 -> `probabilities` or, of hinge, `scores` (n, 10).

    names: of the classes, which stand in its metadata. Raises ConfigError for a network beyond 2 GB.
    """
    from onnx import checker, helper

    nodes = [
        *_scaling(training),
        *(node for block in training.network.blocks for node in NODES[type(block)](block)),
        LAST[config.training.loss.kind],
    ]
    if sum(node.constant.nbytes for node in nodes if node.constant is not None) > MOST_BYTES:
        raise ConfigError("--to onnx: beyond 2 GB, which no such file can hold; --to safetensors")
    model = helper.make_model(
        _graph(nodes, outputs_of(config)),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="cifarmlp",
        producer_version=__version__,
    )
    about = {"name": config.name, "seed": str(config.seed), "classes": ",".join(names)}
    helper.set_model_props(model, about)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _scaling(training: Training) -> Iterator[Node]:
    """Yield the nodes from images to standardised rows; see `data.standardiser`."""
    from onnx import TensorProto

    std = training.std
    yield Node("Flatten", attributes={"axis": 1})
    yield Node("Cast", attributes={"to": TensorProto.FLOAT})
    yield Node("Sub", training.mean)
    yield Node("Mul", np.divide(1, std, out=np.zeros_like(std), where=std > 0))


def _graph(nodes: list[Node], output: str) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 3, 32, 32])
    outputs = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", 10])
    values = ["images", *(f"x{i}" for i in range(1, len(nodes))), output]
    made, constants = [], []
    for i, node in enumerate(nodes):
        inputs = [values[i]]
        if node.constant is not None:
            inputs.append(f"constant{i + 1}")
            constants.append(numpy_helper.from_array(np.ascontiguousarray(node.constant), inputs[1]))
        made.append(helper.make_node(node.operation, inputs, [values[i + 1]], **node.attributes))
    return helper.make_graph(made, "cifarmlp", [images], [outputs], constants)
