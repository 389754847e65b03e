"""Why a network did not learn: its layers, and the pull of its gradients against that of weight decay."""

from collections.abc import Iterator, Mapping, Sequence

from cifarmlp.document import Block, Cell, Table, Text
from cifarmlp.outcome import Outcome
from cifarmlp.saved import Run

PULLS = (
    "Gradient and decay are the root mean squares of the two terms of the gradient of the cost with respect "
    "to a layer's weights: that of the loss, and 2 lambda W of the L2 term. Where the second is the larger "
    "one the weights shrink, the outputs' spread with them, and then the gradients further."
)


def blocks(run: Run, title: str, pulls: Sequence[Mapping[str, float]], name: str) -> Iterator[Block]:
    """For an experiment that stayed at chance level or diverged: what was seen of its first such seed."""
    advised = [outcome for outcome in run.outcomes() if outcome.advice]
    if not advised:
        return
    first, seeds = advised[0], ", ".join(str(outcome.seed) for outcome in advised)
    told = first.advice[0].partition(";")[0] if first.at_chance else first.advice[0]
    yield Text(f"{title}, seed{'s' * (len(advised) > 1)} {seeds}: {told}.", "note")
    if first.layers:
        yield _layers(first, title, pulls, name)
    if first.layers and pulls:
        yield Text(PULLS)


def _layers(outcome: Outcome, title: str, pulls: Sequence[Mapping[str, float]], name: str) -> Table:
    steps = sorted({int(row["step"]) for row in pulls})
    columns = [f"gradient, decay at step {step}" for step in steps]
    rows: list[tuple[Cell, ...]] = []
    for layer in outcome.layers:
        at = {int(row["step"]): row for row in pulls if row["layer"] == layer["layer"]}
        pairs = [
            f"{at[step]['gradient']:.1e}, {at[step]['decay']:.1e}" if step in at else "-" for step in steps
        ]
        rows.append((f"{layer['layer']:g}", f"{layer['dead']:.0%}", f"{layer['spread']:.1e}", *pairs))
    header = ("layer", "dead units at the end", "spread of the outputs at the end", *columns)
    caption = f"{title}: its layers, from the input, seed {outcome.seed}."
    return Table(f"{name}-layers", caption, header, tuple(rows))
