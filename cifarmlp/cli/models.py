"""Commands that use a run's model: predict, export."""

from pathlib import Path
from typing import Literal

import click

from cifarmlp.cli.options import ANY_PATH, DATA_DIR, JSON, QUIET, SEED
from cifarmlp.errors import ConfigError


@click.command()
@click.argument("run", type=ANY_PATH)
@click.argument("pictures", nargs=-1, type=ANY_PATH, metavar="[PICTURE...]")
@click.option(
    "--part", type=click.Choice(["train", "validation", "test"]),
    help="These images in place of pictures, as CSV.",
)  # fmt: skip
@click.option("--sheet", type=ANY_PATH, metavar="PNG", help="Also draw the images with their predictions.")
@click.option("--force", is_flag=True, help="Let the sheet replace a picture that is not one.")
@SEED
@DATA_DIR
@QUIET
@JSON
def predict(
    run: Path,
    pictures: tuple[Path, ...],
    part: str | None,
    sheet: Path | None,
    force: bool,
    seed: int | None,
    data_dir: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Predict the classes of PICTUREs by the model of RUN: a folder, its name in runs/, or a snapshot.

    Any picture will do: it becomes 32 x 32 pixels in RGB. The three likeliest classes are printed, with
    --json all. Of --part, a row of CSV for each image, counted from 0: label, prediction, probabilities.
    """
    from cifarmlp import data
    from cifarmlp.cli.screen import models as screen
    from cifarmlp.cli.screen.data import refuse_other_picture
    from cifarmlp.runs import prediction
    from cifarmlp.runs.evaluation import choose_model
    from cifarmlp.runs.folder import find_run

    if pictures and part:
        raise ConfigError("predict: pictures or --part, not both")
    if not pictures and not part:
        raise ConfigError("predict: give pictures after the run, or --part test")
    if sheet is not None:
        refuse_other_picture(sheet, force)
    model = choose_model(find_run(run), seed)
    if part:
        found = prediction.predict_part(model, data.load(model.config.data.source, data_dir), part)
        screen.print_part(found, part, as_json)
    else:
        read = [data.read_picture(path) for path in pictures]
        found = prediction.predict_pictures(model, read)
        screen.print_pictures(found, read, quiet, as_json)
    if sheet is not None:
        screen.save_sheet(sheet, found, [path.name for path in pictures], quiet)


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
