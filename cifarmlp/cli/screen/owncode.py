"""Tables and words of a diagnosis."""

import json
import math
from collections.abc import Iterator

import click
from tabulate import tabulate

from cifarmlp.files import nan_to_null
from cifarmlp.owncode.diagnose import Diagnosis
from cifarmlp.owncode.variants import Mistake


def print_diagnosis(found: Diagnosis, as_json: bool) -> None:
    """Print a diagnosis: what is right and wrong, in order of computation, and the mistakes."""
    if as_json:
        click.echo(json.dumps(nan_to_null(_values(found)), indent=2))
        return
    rows = [
        [q.name, f"{q.relative:.1e}" if math.isfinite(q.relative) else "-", "right" if q.right else "WRONG"]
        for q in found.quantities
    ]
    headers = ["quantity", "relative difference", ""]
    click.echo(tabulate(rows, headers=headers, disable_numparse=True, colalign=("left", "right", "left")))
    click.echo("\n" + "\n".join(_words(found)))


def _values(found: Diagnosis) -> dict[str, object]:
    quantities = [{"name": q.name, "relative": q.relative, "right": q.right} for q in found.quantities]
    return {
        "right": found.right,
        "first_wrong": found.first_wrong,
        "mistakes": [mistake.id for mistake in found.mistakes],
        "alternatives": [mistake.id for mistake in found.alternatives],
        "unexplained": found.unexplained,
        "missing": list(found.missing),
        "notes": list(found.notes),
        "quantities": quantities,
    }


def _words(found: Diagnosis) -> Iterator[str]:
    yield from (f"note: {note}" for note in found.notes)
    if found.right:
        count = len(found.quantities)
        yield f"all right: {count} {'quantity' if count == 1 else 'quantities'}"
        return
    yield f"first wrong: {found.first_wrong}{_before(found)}"
    for mistake in found.mistakes:
        yield from _about(mistake)
    if found.alternatives:
        ids = ", ".join(mistake.id for mistake in found.alternatives)
        yield f"The numbers at hand would also come from: {ids}. Save more quantities to tell them apart."
    if found.unexplained:
        yield from _advice(found)


def _before(found: Diagnosis) -> str:
    names = [q.name for q in found.quantities]
    before = names[: names.index(found.first_wrong)] if found.first_wrong else []
    if not before:
        return ""
    dots = "..., " if len(before) > 3 else ""
    are = "one before it is" if len(before) == 1 else f"{len(before)} before it are"
    return f"; the {are} right: {dots}{', '.join(before[-3:])}"


def _about(mistake: Mistake) -> Iterator[str]:
    yield f"\n{mistake.id}: {mistake.done}."
    yield f"  right:     {mistake.right}"
    yield f"  to do:     {mistake.cure}"
    yield f"  reference: {mistake.reference}"


def _advice(found: Diagnosis) -> Iterator[str]:
    first = found.quantities[0].name if found.quantities else None
    if found.first_wrong != found.unexplained and not found.mistakes:
        yield f"\nMend {found.first_wrong} first; what follows from it may then be right."
    elif found.unexplained == first and not any(q.right for q in found.quantities):
        yield f"\nNothing is right, and no known mistake makes {first}: are these the answers to this case?"
    else:
        also, step = "Beyond that, no" if found.mistakes else "No", _step_before(found.unexplained or "")
        yield f"\n{also} known mistake makes {found.unexplained}. Look at {step}."
    if found.missing:
        shown = ", ".join(found.missing[-6:])
        yield f"Save these too, to narrow it down: {'..., ' if len(found.missing) > 6 else ''}{shown}"


def _step_before(name: str) -> str:
    """Return the steps of the computation that may have gone wrong before a quantity, in words."""
    kind = name.rstrip("0123456789")
    n = name[len(kind) :]
    step = "the step that computes it"
    if kind in ("dW", "db"):
        return f"{step}, and at the gradient by s{n} before it: of softmax, or of batch norm {n} and ReLU"
    if kind in ("dgamma", "dbeta"):
        return f"{step}, and at the gradient before it: through W{int(n) + 1} and ReLU"
    return step
