"""A population of K fully connected networks of one shape: forward, backward, parameters by name."""

from collections.abc import Iterator, Sequence

import numpy as np

from cifarmlp.nn.inits import draw_weights
from cifarmlp.nn.layers import BatchNorm, Linear, ReLU
from cifarmlp.nn.types import Float


class Network:
    """linear (-> batch norm) -> ReLU for each hidden layer, then a linear one that gives the logits.

    All members see the same mini-batch and none sees another: a member's numbers are, up to rounding,
    those of the same network alone (K = 1), and there is no other code for one network.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        generators: Sequence[np.random.Generator],
        inits: Sequence[str | float],
        batch_norm: tuple[float, float] | None = None,
        dtype: type[np.floating] = np.float32,
    ) -> None:
        """sizes: [in, hidden..., out]; one generator and one init (see `inits.sigma_of`) a member.

        batch_norm: (eps, momentum), or None for none. A member's weights depend on its generator alone.
        """
        self.sizes, self.members, self.dtype = tuple(sizes), len(generators), dtype
        drawn = [draw_weights(g, sizes, i) for g, i in zip(generators, inits, strict=True)]
        last = len(sizes) - 2
        self.linears = [
            Linear([weights[n] for weights in drawn], batch_norm is None or n == last, n == 0, dtype)
            for n in range(last + 1)
        ]
        self.norms = (
            [BatchNorm(self.members * width, *batch_norm, dtype) for width in sizes[1:-1]]
            if batch_norm
            else []
        )
        self.relus = [ReLU() for _ in range(last)]

    def activations(self, x: Float, training: bool = False) -> Iterator[Float]:
        """x (B, in) -> the output of each hidden layer (B, K·d), then the logits (B, K·out)."""
        for n, relu in enumerate(self.relus):
            s = self.linears[n].forward(x)
            if self.norms:
                s = self.norms[n].forward(s) if training else self.norms[n].evaluate(s)
            x = relu.forward(s)
            yield x
        yield self.linears[-1].forward(x)

    def forward(self, x: Float, training: bool = True) -> Float:
        """x (B, in) -> logits (B, K, out); by the batch's statistics in training, else by the averages."""
        *_, logits = self.activations(x, training)
        return logits.reshape(len(x), self.members, -1)

    def backward(self, dlogits: Float) -> None:
        """Set every gradient, given the gradient (B, K, out) of the loss with respect to the logits.

        Follows a `forward` in training.
        """
        ds = dlogits.reshape(len(dlogits), -1)
        for n in range(len(self.relus), 0, -1):
            self.linears[n].backward(ds)
            ds = self.relus[n - 1].backward(self.linears[n].input_gradient())
            if self.norms:
                ds = self.norms[n - 1].backward(ds)
        self.linears[0].backward(ds)

    def squared_weights(self) -> Float:
        """Sum of W² over all layers, weights only: (K,)."""
        squares = [np.einsum("kio,kio->k", W, W) for name, W in self.parameters().items() if name[0] == "W"]
        total: Float = np.sum(squares, axis=0)
        return total

    def vectors(self) -> Iterator[tuple[Float, Float]]:
        """Every b, gamma and beta with its gradient, in the layout that the layers compute in."""
        for linear in self.linears:
            if linear.b is not None and linear.db is not None:
                yield linear.b, linear.db
        for norm in self.norms:
            yield norm.gamma, norm.dgamma
            yield norm.beta, norm.dbeta

    def fold(self) -> None:
        """Bring the weights into one array a layer; see `Linear`."""
        for linear in self.linears:
            linear.fold()

    def parameters(self) -> dict[str, Float]:
        """Views by name, to read and write: W1 (K, in, out), b1 (K, out), gamma1 and beta1 (K, d), ...

        They are the parameters until the next update; then ask again.
        """
        self.fold()
        return self._views("W", "b", "gamma", "beta")

    def gradients(self) -> dict[str, Float]:
        """The gradients of the last `backward`, under the names and in the shapes of `parameters`."""
        Ws = {f"W{n + 1}": self._of_members(linear.dW) for n, linear in enumerate(self.linears)}
        views = self._views("db", "dgamma", "dbeta")
        return {**Ws, **{name[1:]: view for name, view in views.items()}}

    def stored(self) -> dict[str, Float]:
        """Every array that a training changes, as the layers keep it: W1, scale1, b1, gamma1, averages1, ...

        With these a training goes on to the same bits; `parameters` would fold the scale into W.
        """
        kinds = ("W", "scale", "b", "gamma", "beta", "averages")
        layers = [*enumerate(self.linears, 1), *enumerate(self.norms, 1)]
        return {
            f"{k}{n}": vars(layer)[k] for n, layer in layers for k in kinds if vars(layer).get(k) is not None
        }

    def running_averages(self) -> dict[str, Float]:
        """Views by name: mean1, var1 (K, d), ... of the normalised layers."""
        return self._views("mean", "var")

    def _views(self, *kinds: str) -> dict[str, Float]:
        views = {}
        for n, linear in enumerate(self.linears):
            parts = {**vars(linear), **(vars(self.norms[n]) if n < len(self.norms) else {})}
            for kind in kinds:
                if parts.get(kind) is not None:
                    views[f"{kind}{n + 1}"] = self._of_members(parts[kind])
        return views

    def _of_members(self, storage: Float) -> Float:
        if storage.ndim == 1:
            return storage.reshape(self.members, -1)
        groups, width, _ = storage.shape
        split = storage.reshape(groups, width, self.members // groups, -1)
        return split[0].swapaxes(0, 1) if groups == 1 else split[:, :, 0]
