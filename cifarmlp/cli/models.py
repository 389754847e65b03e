"""Commands that use a run's model: export."""

from pathlib import Path
from typing import Literal

import click

from cifarmlp.cli.options import ANY_PATH, JSON, SEED


@click.command()
@click.argument("run", type=ANY_PATH)
@click.option(
    "--to", "form", required=True, type=click.Choice(["onnx", "safetensors", "torch"]),
    help="ONNX; a PyTorch state dict; or that with the module that it belongs to.",
)  # fmt: skip
@click.option("--out", type=ANY_PATH, metavar="FILE", help="The file or its folder. [default: here]")
@SEED
@click.option("--force", is_flag=True, help="Replace files that are there.")
@JSON
def export(
    run: Path,
    form: Literal["onnx", "safetensors", "torch"],
    out: Path | None,
    seed: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write the model of RUN for other programs: images in, class probabilities out.

    RUN is a training's folder, its name in runs/, or a snapshot. The scaling of the pixels is inside. After a
    training by hinge, scores come out.
    """
    from cifarmlp.cli.screen.models import print_files
    from cifarmlp.runs.evaluation import choose_model
    from cifarmlp.runs.export import export_model
    from cifarmlp.runs.folder import find_run

    model = choose_model(find_run(run), seed)
    print_files(model, form, export_model(model, form, out, force=force), as_json)
