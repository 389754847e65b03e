"""Activations: blocks y = f(x), unit by unit, without parameters.

Each overwrites x with y, or keeps what its backward pass needs in arrays of its own. One that keeps y itself
relies on the blocks after it to leave it as it is; see `Block`.
"""

import numpy as np
from numpy.typing import NDArray

from cifarmlp.nn.block import Block
from cifarmlp.nn.types import Float


class ReLU(Block):
    """y = max(x, 0); its derivative at 0 is taken as 0."""

    def forward(self, x: Float, training: bool = True) -> Float:
        """x: any shape, overwritten."""
        self.y: Float = np.maximum(x, 0, out=x)
        return self.y

    def backward(self, dy: Float) -> Float:
        """dy, overwritten, -> dx, of the same shape."""
        dy *= self.y > 0
        return dy

    def kink_sides(self) -> NDArray[np.bool_]:
        """For each output, whether its input was above 0."""
        return (self.y > 0).ravel()


class LeakyReLU(ReLU):
    """y = x above 0, else slope · x, with a slope from 0 to below 1; Maas et al. 2013, section 2.

    Its derivative at 0 is taken as the slope.
    """

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def forward(self, x: Float, training: bool = True) -> Float:
        """x: any shape."""
        self.y = np.maximum(x, x * x.dtype.type(self.slope))
        return self.y

    def backward(self, dy: Float) -> Float:
        """dy, overwritten, -> dx, of the same shape."""
        dy *= np.where(self.y > 0, dy.dtype.type(1), dy.dtype.type(self.slope))
        return dy


class ELU(ReLU):
    """y = x above 0, else alpha (exp(x) - 1); Clevert et al. 2016, eq. 15.

    Its derivative jumps at 0 unless alpha is 1, and then its second derivative does: a kink to a difference.
    """

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def forward(self, x: Float, training: bool = True) -> Float:
        """x: any shape."""
        below = np.expm1(np.minimum(x, 0))
        below *= x.dtype.type(self.alpha)
        self.y = np.where(x > 0, x, below)
        return self.y

    def backward(self, dy: Float) -> Float:
        """dy, overwritten, -> dx, of the same shape: below 0 the derivative is y + alpha."""
        dy *= np.where(self.y > 0, dy.dtype.type(1), self.y + dy.dtype.type(self.alpha))
        return dy


class GELU(Block):
    """y = x Φ(x), with Φ the standard normal distribution function, not its approximation by tanh.

    Hendrycks and Gimpel 2016, section 2. dy/dx = Φ(x) + x φ(x).
    """

    def __init__(self) -> None:
        from scipy.special import erf

        self.erf = erf

    def forward(self, x: Float, training: bool = True) -> Float:
        """x: any shape."""
        half, one = x.dtype.type(0.5), x.dtype.type(1)
        cdf: Float = self.erf(x * np.sqrt(half))
        cdf += one
        cdf *= half
        if training:
            density = np.exp(x * x * -half) * x.dtype.type(1 / np.sqrt(2 * np.pi))
            self.slope: Float = cdf + x * density
        y: Float = x * cdf
        return y

    def backward(self, dy: Float) -> Float:
        """dy, overwritten, -> dx, of the same shape."""
        dy *= self.slope
        return dy


class Tanh(Block):
    """y = tanh(x), dy/dx = 1 - y²."""

    def forward(self, x: Float, training: bool = True) -> Float:
        """x: any shape, overwritten."""
        self.y: Float = np.tanh(x, out=x)
        return self.y

    def backward(self, dy: Float) -> Float:
        """dy, overwritten, -> dx, of the same shape."""
        dy *= 1 - self.y * self.y
        return dy


class Sigmoid(Block):
    """y = 1 / (1 + exp(-x)), dy/dx = y (1 - y)."""

    def __init__(self) -> None:
        from scipy.special import expit

        self.expit = expit

    def forward(self, x: Float, training: bool = True) -> Float:
        """x: any shape, overwritten."""
        self.y: Float = x
        self.expit(x, out=x)
        return x

    def backward(self, dy: Float) -> Float:
        """dy, overwritten, -> dx, of the same shape."""
        dy *= self.y * (1 - self.y)
        return dy
