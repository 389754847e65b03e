"""A population of K fully connected networks of one shape: forward, backward, parameters by name."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cifarmlp.nn.activations import ReLU
from cifarmlp.nn.block import Block
from cifarmlp.nn.dropout import Dropout
from cifarmlp.nn.inits import Init, draw_weights
from cifarmlp.nn.layers import BatchNorm, Linear
from cifarmlp.nn.types import Float


@dataclass(frozen=True)
class HiddenBlocks:
    """The blocks around batch norm: which activation, on which side of it, and dropout.

    activation: makes one. norm_first: batch norm before the activation. dropout: rates, of the images and
    of the outputs of each hidden layer; or none. seeds: of the masks, one a member.
    """

    activation: Callable[[], Block] = ReLU
    norm_first: bool = True
    dropout: Sequence[float] = ()
    seeds: Sequence[int] = ()

    def drop(self, layer: int) -> list[Block]:
        """Return the dropout of the outputs of a layer, 0 being the images; none at a rate of 0."""
        if not self.dropout or not self.dropout[layer]:
            return []
        return [Dropout(self.dropout[layer], self.seeds if layer else self.seeds[:1], layer)]


PLAIN = HiddenBlocks()


class Network:
    """Layers of blocks: Linear (-> BatchNorm) -> activation (-> Dropout) in each hidden layer, then a Linear.

    BatchNorm may come after the activation, and the images may have a Dropout; see `HiddenBlocks`.

    Members share their mini-batches and nothing else: a member's numbers are, up to rounding, those of the
    same network alone; with `apart` to the bit, at a part of the speed. A single network is a population of
    K = 1.

    layers: the blocks of each layer. Only the linear ones are treated specially, as their weights have L2 and
    an update of their own. linears: those, one a layer.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        generators: Sequence[np.random.Generator],
        inits: Sequence[Init],
        batch_norm: tuple[float, float] | None = None,
        dtype: type[np.floating] = np.float32,
        hidden: HiddenBlocks = PLAIN,
        apart: bool = False,
    ) -> None:
        """sizes: [in, hidden..., out]; one generator and one init (see `inits.draw_weights`) a member.

        batch_norm: (eps, momentum), or None for none. A member's weights depend on its generator alone.
        apart: see `Linear`.
        """
        self.sizes, self.members, self.dtype = tuple(sizes), len(generators), dtype
        self.parts = self.members if apart else 1
        starts = [draw_weights(g, sizes, i) for g, i in zip(generators, inits, strict=True)]
        last = len(sizes) - 2
        has_bias = batch_norm is None or not hidden.norm_first
        self.linears = [
            Linear([weights[n] for weights in starts], has_bias or n == last, n == 0, dtype, apart)
            for n in range(last + 1)
        ]
        self.layers: list[list[Block]] = [
            [linear, *self._after(width, batch_norm, hidden), *hidden.drop(n)]
            for n, (linear, width) in enumerate(zip(self.linears[:-1], sizes[1:-1], strict=True), 1)
        ]
        self.layers.append([self.linears[-1]])
        self.layers[0][:0] = hidden.drop(0)
        self.blocks = [block for layer in self.layers for block in layer]

    def _after(self, width: int, norm: tuple[float, float] | None, hidden: HiddenBlocks) -> list[Block]:
        """The blocks that follow the linear one in a hidden layer, before dropout."""
        activation = hidden.activation()
        if norm is None:
            return [activation]
        batch_norm = BatchNorm(self.members * width, *norm, self.dtype, hidden.norm_first, self.parts)
        return [batch_norm, activation] if hidden.norm_first else [activation, batch_norm]

    def activations(self, x: Float, training: bool = False) -> Iterator[Float]:
        """x (B, in) -> the output of each hidden layer (B, K·d), then the logits (B, K·out)."""
        for layer in self.layers:
            for block in layer:
                x = block.forward(x, training)
            yield x

    def forward(self, x: Float, training: bool = True) -> Float:
        """x (B, in) -> logits (B, K, out); by the batch's statistics in training, else by the averages."""
        *_, logits = self.activations(x, training)
        return logits.reshape(len(x), self.members, -1)

    def backward(self, dlogits: Float) -> None:
        """Set every gradient, given the gradient (B, K, out) of the loss with respect to the logits.

        Follows a `forward` in training.
        """
        d: Float | None = dlogits.reshape(len(dlogits), -1)
        for block in reversed(self.blocks):
            if d is not None:
                d = block.backward(d)

    def squared_weights(self) -> Float:
        """Sum of W² over all layers, weights only: (K,)."""
        squares = [np.einsum("kio,kio->k", W, W) for W in self.weights().values()]
        total: Float = np.sum(squares, axis=0)
        return total

    def vectors(self) -> Iterator[tuple[Float, Float]]:
        """Every b, gamma and beta with its gradient, in the layout that the blocks compute in."""
        for _, block in self._linears_first():
            yield from block.vectors().values()

    def fold(self) -> None:
        """Multiply the scales of the weights into them; see `Linear`."""
        for linear in self.linears:
            linear.fold()

    def parameters(self, layer: int | None = None) -> dict[str, Float]:
        """Views by name, to read and write: W1 (K, in, out), b1 (K, out), gamma1 and beta1 (K, d), ...

        Call again after each update: the old views may be stale. layer: number of the only one wanted.
        """
        self.fold()
        return self._views(lambda block: block.parameters(), layer)

    def weights(self) -> dict[str, Float]:
        """The `parameters` that have L2: W1, W2, ..."""
        self.fold()
        return {f"W{n}": self._of_members(linear.W) for n, linear in enumerate(self.linears, 1)}

    def gradients(self) -> dict[str, Float]:
        """The gradients of the last `backward`, under the names and in the shapes of `parameters`."""
        return self._views(lambda block: block.gradients())

    def running_averages(self) -> dict[str, Float]:
        """Views by name: mean1, var1 (K, d), ... of the normalised layers."""
        return self._views(lambda block: block.running_averages())

    def stored(self) -> dict[str, Float]:
        """Every array that a training changes, as the blocks keep it: W1, scale1, b1, gamma1, averages1, ...

        With these a training goes on to the same bits; `parameters` would fold the scale into W.
        """
        blocks = self._linears_first()
        return {f"{kind}{n}": array for n, block in blocks for kind, array in block.stored().items()}

    def resume(self, step: int) -> None:
        """Go on at a step, after the arrays of `stored` were put back."""
        for block in self.blocks:
            block.resume(step)

    def kink_sides(self) -> NDArray[np.bool_]:
        """For each unit that has a kink, the side on which the last forward pass put it; see `ReLU`."""
        return np.concatenate([block.kink_sides() for block in self.blocks])

    def _linears_first(self) -> Iterator[tuple[int, Block]]:
        """Blocks with the numbers of their layers, in the order that checkpoints have."""
        yield from enumerate(self.linears, 1)
        for n, layer in enumerate(self.layers, 1):
            yield from ((n, block) for block in layer if block is not self.linears[n - 1])

    def _views(
        self, arrays_of: Callable[[Block], dict[str, Float]], only: int | None = None
    ) -> dict[str, Float]:
        """Arrays of all blocks by kind and number of the layer, in the order of computation."""
        return {
            f"{kind}{n}": self._of_members(array)
            for n, layer in enumerate(self.layers, 1)
            if only in (None, n)
            for block in layer
            for kind, array in arrays_of(block).items()
        }

    def _of_members(self, storage: Float) -> Float:
        """A block's array as (K, ...), a view."""
        if storage.ndim == 1:
            return storage.reshape(self.members, -1)
        groups, width, _ = storage.shape
        split = storage.reshape(groups, width, self.members // groups, -1)
        return split[0].swapaxes(0, 1) if groups == 1 else split[:, :, 0]
