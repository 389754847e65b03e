"""The engine: fully connected networks in NumPy, K of them trained in lockstep on the same mini-batches.

    x -> Linear -> BatchNorm -> ReLU -> ... -> Linear -> logits -> loss     forward: network.py, layers.py
    dW, db, dgamma, dbeta  <-  backward  <-  dlogits  <- scale (eta)        backward, with a factor at the top
    W, b, gamma, beta  <-  optimiser.step(eta, lam)  <-  schedule(step)     update

Arrays in, arrays out: no files, configs or screens. Rank: it may import numpy and cifarmlp's errors, text,
stats and files only; training and all above it may import this package. Begin with block.py, then network.py.
"""

from cifarmlp.nn.gradcheck import check_gradients
from cifarmlp.nn.losses import Loss, softmax_cross_entropy
from cifarmlp.nn.network import Network
from cifarmlp.nn.optimisers import SGD, Adam, Optimiser
from cifarmlp.nn.schedules import Schedule, constant, cosine, cyclic, one_cycle
from cifarmlp.nn.types import Float, Labels

__all__ = [
    "SGD",
    "Adam",
    "Float",
    "Labels",
    "Loss",
    "Network",
    "Optimiser",
    "Schedule",
    "check_gradients",
    "constant",
    "cosine",
    "cyclic",
    "one_cycle",
    "softmax_cross_entropy",
]
