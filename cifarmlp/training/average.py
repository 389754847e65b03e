"""A moving average of the parameters of a network, to evaluate and keep in place of the last ones."""

import copy

from cifarmlp.nn import Float, Network


def model_views(network: Network) -> dict[str, Float]:
    """Return views of all that an evaluation needs: parameters and running averages, (K, ...) each."""
    return {**network.parameters(), **network.running_averages()}


def copy_model(source: Network, target: Network) -> None:
    """Copy parameters and running averages from a network to another one of its shape."""
    views = model_views(target)
    for name, array in model_views(source).items():
        views[name][...] = array


class MovingAverage:
    """Exponential moving average of the parameters theta_1, theta_2, ... after each step.

        a_t = (1 - decay) / (1 - decay^t)  sum_i decay^(t - i) theta_i      i = 1, ..., t

    It starts from zero with its bias corrected (as Adam's; Kingma and Ba 2015, section 3), so that no share
    of the initial weights is in it. Worked out as a_t = (1 - c_t) a_(t-1) + c_t theta_t, with c_t the
    factor before the sum: c_1 is 1. The running averages of batch norm are averaged likewise, as they belong
    to the parameters of the same steps.

    network: a copy of the trained one, that holds the average. The trained one stays as it is: its scales
    (see `Linear`) are multiplied in here, and those of the average are 1.
    """

    def __init__(self, network: Network, decay: float) -> None:
        network.fold()
        self.network, self.decay = copy.deepcopy(network), decay
        self.views = model_views(self.network)

    def update(self, network: Network, step: int) -> None:
        """Take in the parameters after `step` updates, the first of which is 1."""
        share = network.dtype((1 - self.decay) / (1 - self.decay**step))
        for mean, linear in zip(self.network.linears, network.linears, strict=True):
            factor = share if linear.scale is None else share * linear.scales(linear.scale)
            for rows in linear.tiles():
                mean.W[:, rows] *= 1 - share
                mean.W[:, rows] += factor * linear.W[:, rows]
        for small, array in zip(_all_but_weights(self.network), _all_but_weights(network), strict=True):
            small *= 1 - share
            small += share * array

    def stored(self) -> dict[str, Float]:
        """Return the arrays that an update changes, by the names of checkpoints."""
        return {f"average_{name}": array for name, array in self.views.items()}


def _all_but_weights(network: Network) -> list[Float]:
    return [*(parameter for parameter, _ in network.vectors()), *network.running_averages().values()]
