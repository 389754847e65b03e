"""Array types: float32 in training, float64 in gradient checks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating[Any]]
Labels = NDArray[np.uint8]
