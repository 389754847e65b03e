"""Curves of a config over its seeds, mean and std, and its learning rate; curves.png of a repeated one."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

import numpy as np
from matplotlib.figure import Figure

from cifarmlp import files
from cifarmlp.config import Config, words
from cifarmlp.render.curves import draw_seeds
from cifarmlp.render.means import Row
from cifarmlp.training.batch_loss import read_batch_loss
from cifarmlp.training.build import build_schedule
from cifarmlp.training.build import eta_by_step as schedule_by_step
from cifarmlp.training.metrics import read_metrics


def write_curves(folder: Path, config: Config, places: Sequence[Path]) -> None:
    """Write curves.png of the seeds in these places; a failure to draw is a warning."""
    with files.forgive(folder / "curves.png", f"cifarmlp report {quote(str(folder))}"):
        rows, batches = [read_metrics(place)[0] for place in places], [*map(read_batch_loss, places)]
        title = f"{config.name}, mean ± std over {len(places)} seeds"
        files.write_png(folder / "curves.png", draw_curves(config, rows, title, batches))


def draw_curves(
    config: Config, rows: Sequence[Sequence[Row]], title: str, batches: Sequence[Sequence[Row]]
) -> Figure:
    """Draw rows of metrics.csv and of batch_loss.csv, of each seed of a config. See `draw_seeds`."""
    return draw_seeds(rows, eta_by_step(config, rows), title, batches, words.loss_label([config]))


@np.errstate(all="ignore")
def eta_by_step(config: Config, trainings: Sequence[Sequence[Row]]) -> dict[int, float]:
    """Return the learning rate at up to 401 of the steps that were trained."""
    last = max((row for rows in trainings for row in rows), key=lambda row: row["step"])
    epoch = round(last["step"] / last["epoch"]) if last.get("epoch") else 1
    return schedule_by_step(build_schedule([config], max(1, epoch)), last["step"], 401)
