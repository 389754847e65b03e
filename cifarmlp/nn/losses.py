"""Losses: functions (logits, labels, scale) -> (loss, gradient).

logits: (B, K, C). labels: (B,) in 0..C-1. scale: (K,), multiplies each member's gradient, not its loss.
Each returns the mean loss of each member, (K,), and the gradient (B, K, C) of that mean with respect to the
logits, in the dtype of the logits, which it leaves as they are.
"""

from collections.abc import Callable

import numpy as np

from cifarmlp.nn.types import Float, Labels

Loss = Callable[[Float, Labels, Float], tuple[Float, Float]]


def softmax_cross_entropy(logits: Float, labels: Labels, scale: Float) -> tuple[Float, Float]:
    """Return the softmax cross-entropy of each member and its gradient.

    With p = softmax(z) and y the one-hot labels, over a batch of B:

        loss = -(1/B) sum_b log p[b, label_b]          d loss / d z = (p - y) / B

    Shifted by the row's maximum (Goodfellow et al. 2016, section 4.1), so finite logits cannot overflow.

    >>> logits = np.zeros((1, 1, 4))  # one image, one member, four classes
    >>> loss, gradient = softmax_cross_entropy(logits, np.array([2], np.uint8), np.ones(1))
    >>> print(loss.round(4), gradient[0, 0])
    [1.3863] [ 0.25  0.25 -0.75  0.25]
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
