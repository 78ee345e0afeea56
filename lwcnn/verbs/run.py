"""Do the whole chain: train, convert to every mode, compare, benchmark, report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_lwcnn.data import ImageDataset
    from keras_lwcnn.training import Recipe

EXTRA = "convert"
USES_KERAS = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn run`."""
    from lwcnn.common import add_data_arguments
    from lwcnn.verbs.convert import add_mode_arguments
    from lwcnn.verbs.train import add_recipe_arguments

    parser.add_argument(
        "--model",
        default="l_mobilenet",
        help="a name that `lwcnn models` lists (default %(default)s)",
    )
    add_data_arguments(parser, required=True)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the model, its files and the report"
    )
    add_recipe_arguments(parser)
    add_mode_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn run`."""
    from keras_lwcnn.files import written_beside
    from keras_lwcnn.models import model_named
    from keras_lwcnn.training import make_deterministic
    from lwcnn.common import append_rows, data_from, loaded
    from lwcnn.conversion import compared_modes, convert_model
    from lwcnn.verbs.bench import bench_files
    from lwcnn.verbs.compare import compare_files
    from lwcnn.verbs.report import write_page
    from lwcnn.verbs.train import recipe_from, train_model

    if args.deterministic:
        make_deterministic()
    out: Path = args.out
    recipe = recipe_from(args, args.model)
    compared_modes(args.modes)
    model_named(args.model)
    row = _finished_training(args, recipe)
    size = args.image_size or (row and row["dataset"]["input_shape"][0])
    dataset = loaded(data_from(args), size)
    _check_calibration(args, dataset)
    rows = [row or train_model(args.model, dataset, size, recipe, out)]
    rows += convert_model(
        out / "model.keras",
        out,
        modes=args.modes,
        data=dataset,
        calibration_count=args.calibration_images,
    )
    files = [out / row["file"] for row in rows if row["kind"] == "convert"]
    rows += compare_files(files, data=dataset, samples=out / "samples.json")
    rows += bench_files(files, "host", sessions=3, min_secs=0.3)
    with written_beside(out / "rows.jsonl") as temporary:
        append_rows(temporary, rows)
    page = write_page(rows, out / "report.html", out / "samples.json")
    _print_summary(rows)
    print(f"wrote {page}")


def _check_calibration(args: argparse.Namespace, dataset: ImageDataset) -> None:
    """Refuse calibration images that the conversion would refuse, before the training starts."""
    from keras_lwcnn.models import model_named
    from lwcnn.conversion import calibration_from, checked_modes

    if any(mode.calibrated for mode in checked_modes(args.modes)):
        input_range = model_named(args.model).input_range
        calibration_from(dataset, args.calibration_images, input_range)


def _finished_training(args: argparse.Namespace, recipe: Recipe) -> dict[str, Any] | None:
    """Return the record of a finished training with the same settings in the folder, or None."""
    from convert.source.keras_file import read_record
    from keras_lwcnn.training import Recipe

    record = read_record(args.out / "model.keras")
    if not record or not (args.out / "model.keras").is_file():
        return None
    dataset = record["dataset"]
    same = (
        record["model"] == args.model
        and Recipe.from_dict(record["recipe"]) == recipe
        and (dataset["source"], dataset.get("groups")) == (args.data, args.groups)
        and args.image_size in (None, dataset["input_shape"][0])
    )
    if same:
        print(f"{args.out / 'model.keras'} was trained with these settings and is used again")
    return record if same else None


def _print_summary(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    from lwcnn.report.summary import summarize

    table = Table()
    table.add_column("mode")
    for column in ("size (kB)", "top-1", "drop (points)", "agreement", "median on host (ms)"):
        table.add_column(column, justify="right")
    for mode in summarize(rows).modes:
        table.add_row(
            mode.mode,
            f"{mode.convert['size'] / 1e3:,.0f}",
            f"{mode.compare['top1']:.2%}",
            f"{mode.compare['drop']:.2f}",
            f"{mode.compare['agreement']:.2%}",
            f"{mode.host['median_us'] / 1e3:.3f}",
        )
    Console().print(table)
