"""What int8 costs in accuracy: `auto` against the other ways to int8, on trained networks.

    LWCNN_DATA=... python -m benchmarks.int8_accuracy runs/lm runs/cnx

Takes folders that `lwcnn train` wrote. The other ways are TensorFlow's quantization as it is,
ai-edge-quantizer's, quantization-aware training, pruning and clustering. For each network, all int8
files are made from the same 300 training images; `auto` judges itself on the validation images; the
ways that train see 10,000 training images for an epoch; the test images are used once, at the end.

Appends rows of kind `int8_accuracy` to benchmarks/results/int8_accuracy.jsonl, where a network
that is there is not measured again, and writes the tables of docs/results.md and
docs/converting.md. Without folders it writes the tables alone.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.commands import progress_bar, read_trainings
from benchmarks.pages import DOCS, RESULTS_PAGE, fill_block, markdown_table
from benchmarks.stored import RESULTS, append_lines, read_lines, sha256
from lwcnn.rows import now

STORED = RESULTS / "int8_accuracy.jsonl"
CALIBRATION, VALIDATION, TUNING = 300, 1000, 10_000
FLOAT, STOCK, AUTO = "float32", "stock TF PTQ", "auto"
SHARED = {"input_range": (-1.0, 1.0), "output": "logits"}


@dataclass(frozen=True)
class Images:
    """What the ways of making int8 may see: images scaled to [-1, 1], and labels."""

    calibration: np.ndarray
    validation: tuple[np.ndarray, np.ndarray]
    tuning: tuple[np.ndarray, np.ndarray]


def stock(model: Any, images: Images) -> tuple[bytes, dict]:
    """Quantize as TFLiteConverter does."""
    from convert import to_tflite

    return to_tflite(model, "int8", images.calibration, **SHARED).content, {}


def auto(model: Any, images: Images) -> tuple[bytes, dict]:
    """Let the converter choose by the validation images among its own ways."""
    from convert import to_tflite

    file = to_tflite(
        model,
        "int8",
        images.calibration,
        quantization="auto",
        validation_data=images.validation,
        **SHARED,
    )
    return file.content, {"quantization": file.facts["quantization"]}


def edge_static(model: Any, images: Images) -> tuple[bytes, dict]:
    """Quantize with ai-edge-quantizer's static int8 recipe."""
    from ai_edge_quantizer import quantizer, recipe

    from convert import to_tflite
    from convert.quiet import quiet

    float_file = to_tflite(model, **SHARED).content
    data = {"serving_default": [{"images": image[None]} for image in images.calibration]}
    with quiet():
        work = quantizer.Quantizer(bytearray(float_file))
        work.load_quantization_recipe(recipe.static_wi8_ai8())
        return bytes(work.quantize(work.calibrate(data)).quantized_model), {}


def aware(model: Any, images: Images) -> tuple[bytes, dict]:
    """Quantize after quantization-aware training."""
    from convert.optimize import tfmot

    file = tfmot.quantization_aware(model, *images.tuning, tfmot.FineTuning())
    return file.content, {"training": file.facts["training"]}


def pruned(model: Any, images: Images) -> tuple[bytes, dict]:
    """Quantize after half of the weights were pruned away in training."""
    from convert.optimize import tfmot

    sparse = tfmot.pruned(model, *images.tuning, 0.5, tfmot.FineTuning())
    return stock(sparse, images)[0], {"training": tfmot.FineTuning().to_dict() | {"sparsity": 0.5}}


def clustered(model: Any, images: Images) -> tuple[bytes, dict]:
    """Quantize after training with 32 different weights per layer."""
    from convert.optimize import tfmot

    few = tfmot.clustered(model, *images.tuning, 32, tfmot.FineTuning())
    return stock(few, images)[0], {"training": tfmot.FineTuning().to_dict() | {"clusters": 32}}


WAYS: dict[str, Callable[[Any, Images], tuple[bytes, dict]]] = {
    AUTO: auto,
    STOCK: stock,
    "ai-edge-quantizer static_wi8_ai8": edge_static,
    "quantization-aware training": aware,
    "50 % pruned": pruned,
    "32 weight clusters": clustered,
}


def measure(folder: Path, show: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return rows of one network: every file made, and compared on the test images."""
    import keras

    from convert.source.keras_file import read_record
    from keras_lwcnn.condensation import condensable_layers, deploy
    from keras_lwcnn.data import load_data

    path = folder / "model.keras"
    record = read_record(path)
    data = load_data(record["dataset"]["source"])
    model = keras.saving.load_model(path, compile=False)
    if condensable_layers(model):
        # The same function in layers that other libraries know.
        model = deploy(model, "masked")
    files, refused = make_files(model, images_of(data), show)
    show("test images")
    rows = compare_files(files, data.test)
    facts = {
        "kind": "int8_accuracy",
        "date": now(),
        "network": record["model"],
        "keras_sha256": sha256(path),
        "data": record["dataset"]["name"],
        "epochs": record["recipe"]["epochs"],
    }
    return [row | facts for row in rows] + [
        {**facts, "mode": name, "refused": why} for name, why in refused.items()
    ]


def images_of(data: Any) -> Images:
    """Return the images that the ways may see, balanced by class."""
    from keras_lwcnn.data import balanced_indices, scale_images

    def some(split: Any, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = balanced_indices(split.labels, min(count, len(split)), seed=seed)
        return scale_images(split.images[chosen], (-1.0, 1.0)), split.labels[chosen]

    return Images(
        some(data.train, CALIBRATION, 0)[0],
        some(data.val, VALIDATION, 0),
        some(data.train, TUNING, 1),
    )


def make_files(
    model: Any, images: Images, show: Callable[[str], None]
) -> tuple[dict[str, tuple[bytes, dict]], dict[str, str]]:
    """Return each file with facts on how it was made, and why others could not be made, by way."""
    from convert import to_tflite

    show(FLOAT)
    files = {FLOAT: (to_tflite(model, **SHARED).content, {})}
    refused = {}
    for name, way in WAYS.items():
        show(name)
        try:
            files[name] = way(model, images)
        except ValueError as error:
            refused[name] = str(error)
    return files, refused


def compare_files(files: dict[str, tuple[bytes, dict]], test: Any) -> list[dict[str, Any]]:
    """Return a row for each file, compared with the float32 file on the test images."""
    from convert import compare, inspect_tflite, predict
    from keras_lwcnn.data import scale_images

    images = scale_images(test.images, (-1.0, 1.0))
    with tempfile.TemporaryDirectory() as home:
        paths = {name: Path(home, f"{number}.tflite") for number, name in enumerate(files)}
        for name, path in paths.items():
            path.write_bytes(files[name][0])
        rows = compare(paths, images, test.labels).to_rows()
        logits = predict(paths[FLOAT], images)
    for row in rows:
        for name in ("confusion_changes", "file", "conversion_seconds", "host_median_us"):
            del row[name]
        content, more = files[row["mode"]]
        row |= more | {"ceiling": ceiling(logits, inspect_tflite(content).outputs[0])}
    return rows


def ceiling(logits: np.ndarray, output: Any) -> float:
    """Return how often float logits name the same class after rounding to an output's int8 steps.

    A share of 0 to 1. A file with such an output agrees with float more often by luck only.
    """
    if not output.scale:
        return 1.0
    stored = np.clip(np.rint(logits / output.scale) + output.zero_point, -128, 127)
    return float((stored.argmax(axis=1) == logits.argmax(axis=1)).mean())


def table(rows: list[dict[str, Any]]) -> str:
    """Return one line per network and way, and the means over the networks."""
    lines = []
    for row in rows:
        if "refused" in row:
            lines.append([f"`{row['network']}`", row["mode"], "refused", "-", "-", "-", "-"])
            continue
        lines.append(
            [
                f"`{row['network']}`",
                row["mode"],
                f"{row['top1']:.2%}",
                f"{row['drop']:+.2f} ({row['drop_low']:+.2f} to {row['drop_high']:+.2f})",
                f"{row['agreement']:.2%}",
                f"{row['ceiling']:.2%}",
                f"{row['size'] / 1e3:,.0f}",
                f"{row['gzip_size'] / 1e3:,.0f}",
            ]
        )
    measured = [row for row in rows if "refused" not in row]
    for mode in dict.fromkeys(row["mode"] for row in measured if row["mode"] != FLOAT):
        chosen = [row for row in measured if row["mode"] == mode]
        drop, agreement = (
            float(np.mean([row[key] for row in chosen])) for key in ("drop", "agreement")
        )
        lines.append(
            [f"mean of {len(chosen)}", mode, "", f"{drop:+.2f}", f"{agreement:.2%}", "", "", ""]
        )
    header = ["network", "way", "top-1", "points lost (95 %)", "agrees", "ceiling", "kB", "gzip kB"]
    return markdown_table(header, lines, text_columns=2)


def summary(rows: list[dict[str, Any]]) -> str:
    """Return the table of docs/results.md: each network in float32, stock int8 and `auto`."""
    lines = []
    for network in dict.fromkeys(row["network"] for row in rows):
        by_mode = {row["mode"]: row for row in rows if row["network"] == network}
        reference, plain, best = (by_mode[mode] for mode in (FLOAT, STOCK, AUTO))
        lines.append(
            [
                f"`{network}`, {reference['data']}, {reference['epochs']} epochs",
                f"{reference['top1']:.2%}",
                f"{plain['top1']:.2%}",
                f"{best['top1']:.2%}",
                f"{best['agreement']:.2%}",
                f"{reference['size'] / 1e3:,.0f} kB",
                f"{best['size'] / 1e3:,.0f} kB",
            ]
        )
    header = [
        "network",
        "float32",
        "int8, stock",
        "int8, `auto`",
        "agrees",
        "float32 file",
        "int8 file",
    ]
    return f"Top-1 on {rows[0]['images']:,} test images:\n\n" + markdown_table(header, lines)


def write_tables() -> None:
    """Write the tables of the stored rows into docs/converting.md and docs/results.md."""
    rows = read_lines(STORED)
    fill_block("int8 accuracy", table(rows), DOCS / "converting.md")
    fill_block("results", summary(rows), RESULTS_PAGE)


def main() -> None:
    """Measure what is new and rewrite the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, help="of trainings, with model.keras")
    options = parser.parse_args()
    read_trainings(parser, options.folders)
    known = {row["keras_sha256"] for row in read_lines(STORED)}
    with progress_bar() as progress:
        task = progress.add_task("", total=len(options.folders) * (len(WAYS) + 2))
        for folder in options.folders:
            if sha256(folder / "model.keras") in known:
                continue

            def show(step: str, name: str = folder.name) -> None:
                progress.update(task, advance=1, description=f"{name}: {step}")

            append_lines(STORED, measure(folder, show))
    write_tables()


if __name__ == "__main__":
    main()
