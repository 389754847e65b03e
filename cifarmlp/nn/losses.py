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
    batch, members, classes = logits.shape
    z = logits.reshape(-1, classes).T.copy()  # a class a row, so that sums over classes add whole rows
    z -= np.maximum.reduce(z, axis=0)
    p = np.exp(z)
    total = np.add.reduce(p, axis=0)
    of_label = labels.repeat(members), np.arange(batch * members)
    surprise = (np.log(total) - z[of_label]).reshape(batch, members)
    loss = np.add.reduce(surprise, axis=0) / z.dtype.type(batch)
    rate = np.empty((batch, members), z.dtype)
    rate[:] = scale / z.dtype.type(batch)
    p *= rate.ravel() / total
    p[of_label] -= rate.ravel()
    return loss, np.ascontiguousarray(p.T).reshape(logits.shape)
