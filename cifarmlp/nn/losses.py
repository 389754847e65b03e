"""Losses: functions (logits, labels, scale) -> (loss, gradient).

logits: (B, K, C). labels: classes (B,), 0 to C-1, or shares (B, C) of the classes, in the dtype of the
logits and with rows that sum to 1. scale: (K,), multiplies each member's gradient, not its loss. Each returns
the mean loss of each member, (K,), and the gradient (B, K, C) of that mean with respect to the logits, in the
dtype of the logits, which it leaves as they are.

A loss may have kinks where an entry of its gradient turns positive, and nowhere else: the gradient check
steps around these.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp.nn.types import Float

Loss = Callable[[Float, NDArray[Any], Float], tuple[Float, Float]]


def softmax_cross_entropy(logits: Float, labels: NDArray[Any], scale: Float) -> tuple[Float, Float]:
    """Return the softmax cross-entropy of each member and its gradient.

    With p = softmax(z) and y the one-hot labels, or their shares, over a batch of B:

        loss = -(1/B) sum_b sum_c y[b, c] log p[b, c]          d loss / d z = (p - y) / B

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
    rate = np.empty((batch, members), z.dtype)
    rate[:] = scale / z.dtype.type(batch)
    if labels.ndim == 1:
        of_label = labels.repeat(members), np.arange(batch * members)
        surprise = np.log(total) - z[of_label]
        p *= rate.ravel() / total
        p[of_label] -= rate.ravel()
    else:
        shares = labels.T.repeat(members, axis=1)
        surprise = np.log(total) - np.add.reduce(shares * z, axis=0)
        p *= rate.ravel() / total
        p -= shares * rate.ravel()
    loss = np.add.reduce(surprise.reshape(batch, members), axis=0) / z.dtype.type(batch)
    return loss, np.ascontiguousarray(p.T).reshape(logits.shape)


def smoothed_cross_entropy(smoothing: float) -> Loss:
    """Return softmax cross-entropy with labels y (1 - smoothing) + smoothing / C.

    Szegedy et al. 2016, 'Rethinking the Inception Architecture', section 7.

    >>> loss, _ = smoothed_cross_entropy(0.5)(np.zeros((1, 1, 4)), np.array([2], np.uint8), np.ones(1))
    >>> print(loss.round(4))
    [1.3863]
    """

    def smoothed(logits: Float, labels: NDArray[Any], scale: Float) -> tuple[Float, Float]:
        shares = shares_of(labels, logits) * logits.dtype.type(1 - smoothing)
        shares += logits.dtype.type(smoothing / logits.shape[2])
        return softmax_cross_entropy(logits, shares, scale)

    return smoothed


def shares_of(labels: NDArray[Any], logits: Float) -> Float:
    """Return labels as shares of the classes, (B, C), in the dtype of the logits (B, K, C)."""
    if labels.ndim == 2:
        return labels
    shares: Float = np.eye(logits.shape[2], dtype=logits.dtype)[labels]
    return shares


def hinge(logits: Float, labels: NDArray[Any], scale: Float) -> tuple[Float, Float]:
    """Return the hinge loss of a multi-class support vector machine, with margin 1, and its gradient.

        loss = (1/B) sum_b sum_(j != y) max(0, 1 + z[b, j] - z[b, y])

    Weston and Watkins 1999, as in Stanford's cs231n. The derivative at a kink is taken as 0. labels: classes.
    Raises ValueError for shares.

    >>> logits = np.array([[[3.2, 5.1, -1.7]]])  # the example of cs231n
    >>> loss, gradient = hinge(logits, np.array([0], np.uint8), np.ones(1))
    >>> print(loss.round(4), gradient[0, 0])
    [2.9] [-1.  1.  0.]
    """
    if labels.ndim != 1:
        raise ValueError("the hinge loss takes classes, not shares of classes")
    batch = len(labels)
    rows = np.arange(batch)
    margins = logits + 1
    margins -= logits[rows, :, labels][:, :, None]
    margins[rows, :, labels] = 0
    np.maximum(margins, 0, out=margins)
    loss = margins.sum(axis=2).sum(axis=0) / margins.dtype.type(batch)
    gradient = (margins > 0).astype(logits.dtype)
    gradient[rows, :, labels] = -gradient.sum(axis=2)
    gradient *= (scale / logits.dtype.type(batch))[:, None]
    return loss, gradient


def binary_cross_entropy(logits: Float, labels: NDArray[Any], scale: Float) -> tuple[Float, Float]:
    """Return the cross-entropy of one sigmoid a class and its gradient.

    With p = 1 / (1 + exp(-z)) and y the one-hot labels, or their shares, over a batch of B:

        loss = -(1/B) sum_b sum_c (y log p + (1 - y) log(1 - p))          d loss / d z = (p - y) / B

    Summed over the classes, where the assignments of KTH's DD2424 take the mean: their eta is C times ours.

    >>> loss, gradient = binary_cross_entropy(np.zeros((1, 1, 4)), np.array([2], np.uint8), np.ones(1))
    >>> print(loss.round(4), gradient[0, 0])
    [2.7726] [ 0.5  0.5 -0.5  0.5]
    """
    batch = logits.dtype.type(len(logits))
    shares = shares_of(labels, logits)[:, None]
    softplus = np.logaddexp(0, logits, dtype=logits.dtype)  # -log(1 - p), without overflow
    loss = (softplus - shares * logits).sum(axis=2).sum(axis=0) / batch
    gradient = np.exp(logits - softplus)
    gradient -= shares
    gradient *= (scale / batch)[:, None]
    return loss, gradient


def of_each(loss: Loss) -> Loss:
    """Return the loss worked out for one member after the other, to the bits of each alone.

    NumPy adds the images of a single member in another order than those of several.
    """

    def of_each_alone(logits: Float, labels: NDArray[Any], scale: Float) -> tuple[Float, Float]:
        members = [slice(k, k + 1) for k in range(logits.shape[1])]
        parts = [loss(logits[:, k], labels, scale[k]) for k in members]
        losses, gradients = zip(*parts, strict=True)
        return np.concatenate(losses), np.concatenate(gradients, axis=1)

    return of_each_alone
