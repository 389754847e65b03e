"""Softmax cross-entropy."""

import numpy as np

from cifarmlp.nn.types import Float, Labels


def softmax_cross_entropy(logits: Float, labels: Labels, scale: Float) -> tuple[Float, Float]:
    """Loss of each member and its gradient.

    With p = softmax(z) and y the one-hot labels, over a batch of B:

        loss = -(1/B) sum_b log p[b, label_b]          d loss / d z = (p - y) / B

    logits: (B, K, C). labels: (B,) in 0..C-1. scale: (K,), multiplies each member's gradient, not its loss.
    Returns loss (K,) and gradient (B, K, C) in the dtype of the logits, and leaves those as they are.
    Shifted by the row's maximum (Goodfellow et al. 2016, section 4.1), so finite logits cannot overflow.
    """
    batch, _, classes = logits.shape
    z = logits - np.maximum.reduce(logits, axis=2, keepdims=True)
    p = np.exp(z)
    total = np.add.reduce(p, axis=2, keepdims=True)
    y = np.eye(classes, dtype=logits.dtype)[labels]
    of_label = np.einsum("bkc,bc->bk", z, y)
    loss = np.add.reduce(np.log(total[:, :, 0]) - of_label, axis=0) / logits.dtype.type(batch)
    p /= total
    p -= y[:, None]
    p *= (scale / logits.dtype.type(batch))[:, None]
    return loss, p
