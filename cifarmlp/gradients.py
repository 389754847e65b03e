"""`gradcheck`: which networks are checked, on which images, and what the reports printed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cifarmlp.config import Config
from cifarmlp.data import Dataset, pixel_statistics, standardiser
from cifarmlp.nn.gradcheck import Difference, check_gradients, checkable

LIMIT = 1e-7
BATCH = 20
STATISTICS_OF = 10_000  # images; enough to put pixels on a scale of one, and quick

_REPORT_1 = "report 1, ||a - n||"
_REPORT_2 = "report 2, relative"


@dataclass(frozen=True)
class Check:
    """A network to check, and what a report printed for it: the measure, and its value by parameter."""

    hidden: tuple[int, ...]
    batch_norm: tuple[float, float] | None
    lam: float = 0.005
    measure: str = ""
    reported: dict[str, float] | None = None

    @property
    def title(self) -> str:
        """Such as `3 layers (50-30), batch norm, lambda 0.005`."""
        widths = "-".join(str(width) for width in self.hidden) or "linear"
        norm = "batch norm" if self.batch_norm else "no batch norm"
        return f"{len(self.hidden) + 1} layers ({widths}), {norm}, lambda {self.lam:g}"


def _by_layer(**kinds: Sequence[float]) -> dict[str, float]:
    return {f"{kind}{n}": value for kind, values in kinds.items() for n, value in enumerate(values, start=1)}


def checks_of_the_reports() -> list[Check]:
    """Both reports' networks, with and without batch norm, and the differences that they printed."""
    norm = (1e-12, 0.9)
    two = _by_layer(W=[0.744e-4, 0.7439e-4], b=[0.5575e-5, 0.0])
    three = _by_layer(W=[0.1238e-4, 0.1462e-4, 0.1344e-4], b=[0.0003e-4, 0.5455e-4, 0.0])
    four = _by_layer(
        W=[1.0396758690215455e-10, 1.0816098792339167e-06, 3.119750765529875e-06, 2.789056626773761e-06],
        b=[1.8321692144096816e-06, 2.3905082333923803e-06, 3.113804059695996e-06, 3.471231731625855e-06],
    )
    four_norm = _by_layer(
        W=[0.45953875826419116, 0.04671610089458472, 0.04008675518700235, 1.5680017551794778e-06],
        gamma=[0.052245723753747704, 0.049345534470887804, 2.4070260694309738e-06, 0.0],
        beta=[0.047071029944393696, 0.037945718168486284, 2.979537082198368e-06, 0.0],
    )
    return [
        Check((50,), None, measure=_REPORT_1, reported=two),
        Check((50,), norm),
        Check((50, 30), None, measure=_REPORT_1, reported=three),
        Check((50, 30), norm),
        Check((50, 50, 50), None, measure=_REPORT_2, reported=four),
        Check((50, 50, 50), norm, measure=_REPORT_2, reported=four_norm),
    ]


def check_of(config: Config) -> Check:
    """The network of a config, with its lambda."""
    norm = config.network.batch_norm
    return Check(config.network.hidden, (norm.eps, norm.momentum) if norm else None, config.training.lam)


def run(checks: Sequence[Check], dataset: Dataset, seed: int = 1) -> Iterator[tuple[Check, list[Difference]]]:
    """Check each network on the first images of the dataset, standardised."""
    mean, std = pixel_statistics(dataset.train.pixels[:STATISTICS_OF])
    x = np.empty((BATCH, dataset.train.pixels.shape[1]))
    standardiser(mean, std, np.float64)(dataset.train.pixels, np.arange(BATCH), x)
    for check in checks:
        rng = np.random.default_rng([seed, 2])
        network = checkable([x.shape[1], *check.hidden, 10], check.batch_norm, rng)
        lam = np.array([check.lam])
        yield check, check_gradients(network, x, dataset.train.labels[:BATCH], lam, rng)


def wrong(differences: Sequence[Difference]) -> list[str]:
    """The parameters whose gradient is off: a relative difference of LIMIT or more, or nan."""
    return [d.name for d in differences if not d.worst < LIMIT]
