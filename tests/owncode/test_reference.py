"""The equations written for reading give what the engine computes."""

import numpy as np
import pytest

from cifarmlp.config import Config, override_with
from cifarmlp.nn.losses import softmax_cross_entropy
from cifarmlp.nn.network import Network
from cifarmlp.owncode.case import draw_case
from cifarmlp.owncode.reference import Case, answers_of


def case_of(batch_norm: bool) -> Case:
    changes = {"network.hidden": [10, 8], "network.batch_norm": batch_norm, "training.lambda": 0.0}
    config = override_with(Config(name="case"), changes)
    return draw_case(config, 30, [10, 8], 20, np.random.default_rng(1))


@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_engine_has_the_same_loss_and_gradients(batch_norm: bool) -> None:
    case = case_of(batch_norm)
    norm = (case.eps, case.rho) if batch_norm else None
    network = Network([30, 10, 8, 10], [np.random.default_rng(0)], ["he"], norm, np.float64)
    for name, parameter in network.parameters().items():
        parameter[0] = case[name]
    labels = case["labels"].astype(np.uint8)
    loss, dlogits = softmax_cross_entropy(network.forward(case["X"]), labels, np.ones(1))
    network.backward(dlogits)
    ours, _ = answers_of(case)
    assert loss[0] == pytest.approx(float(ours["loss"]), rel=1e-12)
    gradients = network.gradients()
    assert all(
        np.allclose(array[0], ours[f"d{name}"], rtol=1e-9, atol=1e-14) for name, array in gradients.items()
    )
    assert len(gradients) == (8 if batch_norm else 6)
