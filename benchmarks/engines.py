"""Each mode by TensorFlow's quantizer and by ai-edge-quantizer: accuracy, size and speed of both.

    python -m benchmarks.engines MODEL.keras ... --data cifar10.npz

Both start from one lowered Keras model and the same calibration images. ai-edge-quantizer and
TensorFlow's integer modes quantize its float32 file. TensorFlow makes float16 and dynamic only
while it converts, so these start from the model itself, and their seconds include that conversion.
All files of a model are timed in one run, in which they take turns.

Appends one row per file to benchmarks/results/engines.jsonl and prints a table; `chosen` marks the
engine that `convert.MODES` names. The mode weight_int8 is left out: TensorFlow has none.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from android_bench import benchmark_interleaved
from android_bench.statistics import paired_ratio
from benchmarks.pages import markdown_table
from benchmarks.stored import RESULTS, append_lines
from convert import MODES, compare, inspect_tflite
from convert.quantize.quantization import quantize
from convert.quiet import quiet

CALIBRATION = 300
# The input and output types of these modes, for both engines: ai-edge-quantizer has no others.
INTERFACE = {"int8": "int8", "int16x8": "int16"}

# (mode, engine) -> (content of a file, seconds that making it took).
Files = dict[tuple[str, str], tuple[bytes, float]]


def tensorflow(model: Any, float_file: bytes, mode: str, images: np.ndarray) -> bytes:
    """Return the file of a mode by TensorFlow's quantizer."""
    import tensorflow as tf

    if mode in INTERFACE:
        return quantize(float_file, MODES[mode], images, INTERFACE[mode])
    shape = (1, *model.input_shape[1:])
    signature = [tf.TensorSpec(shape, tf.float32)]
    function = tf.function(lambda x: model(x, training=False), signature, autograph=False)
    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()]
        )
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if mode == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())


def edge(model: Any, float_file: bytes, mode: str, images: np.ndarray) -> bytes:
    """Return the file of a mode by ai-edge-quantizer."""
    if mode not in INTERFACE:
        return quantize(float_file, MODES[mode])
    from ai_edge_quantizer import quantizer, recipe

    recipes = {"int8": recipe.static_wi8_ai8, "int16x8": recipe.static_wi8_ai16}
    with quiet():
        work = quantizer.Quantizer(bytearray(float_file))
        work.load_quantization_recipe(recipes[mode]())
        data = {"serving_default": [{"images": image[None]} for image in images]}
        return bytes(work.quantize(work.calibrate(data)).quantized_model)


ENGINES: dict[str, Callable[..., bytes]] = {"tensorflow": tensorflow, "ai-edge-quantizer": edge}


def make(path: Path, images: np.ndarray, modes: Sequence[str]) -> Files:
    """Return the files of a Keras model, the float32 file first."""
    from convert.lowering import lower
    from convert.source import float_tflite as source
    from convert.tflite import flatbuffer

    model, _ = lower(source.load_model(path), "masked")
    began = time.perf_counter()
    float_file = flatbuffer.finish(source.float_tflite(model), "logits")
    files: Files = {("float32", MODES["float32"].engine): (float_file, time.perf_counter() - began)}
    for mode in modes:
        for engine, quantizer in ENGINES.items():
            began = time.perf_counter()
            content = quantizer(model, float_file, mode, images)
            seconds = time.perf_counter() - began
            # Only what TensorFlow converted itself still has the model's own output.
            if engine == "tensorflow" and mode not in INTERFACE:
                content = flatbuffer.finish(content, "logits")
            files[mode, engine] = content, seconds
    return files


def measure(
    name: str, files: Files, images: np.ndarray, labels: np.ndarray, bench: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return a row for each of a model's files, compared with the first.

    Args:
        name: of the model, for the rows.
        files: the files.
        images: test images, scaled to [-1, 1].
        labels: their class numbers.
        bench: settings of the timing.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = {key: Path(folder, f"{'.'.join(key)}.tflite") for key in files}
        for key, path in paths.items():
            path.write_bytes(files[key][0])
        reference = next(iter(paths))
        results = benchmark_interleaved(list(paths.values()), **bench)
        medians = {key: r.session_medians_us for key, r in zip(paths, results, strict=True)}
        compared = compare(paths, images, labels, reference=reference)
    rows = []
    for row in compared.rows:
        mode, engine = row.mode
        facts = inspect_tflite(files[row.mode][0])
        fields = row.to_dict()
        rows.append(
            {
                "kind": "engines",
                "date": compared.date,
                "model": name,
                "mode": mode,
                "engine": engine,
                "chosen": MODES[mode].engine == engine,
                **{key: fields[key] for key in ("size", "images", "top1", "drop", "agreement")},
                "p_value": row.p_value,
                "partitions": facts.partitions,
                "nodes": facts.nodes,
                "delegated_nodes": facts.delegated_nodes,
                "seconds": files[row.mode][1],
                "median_us": float(np.median(medians[row.mode])),
                "times_float32": paired_ratio(medians[reference], medians[row.mode]).to_dict(),
            }
        )
    return rows


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as a table."""
    header = ("model", "mode", "engine", "chosen", "top-1 lost", "agrees with float32", "bytes",
              "pieces", "delegated ops", "seconds to make", "times float32's latency")  # fmt: skip
    lines = []
    for row in rows:
        times = row["times_float32"]
        lines.append(
            (
                row["model"],
                row["mode"],
                row["engine"],
                "yes" if row["chosen"] else "",
                f"{row['drop']:.2f}",
                f"{row['agreement']:.2%}",
                f"{row['size']:,}",
                str(row["partitions"]),
                f"{row['delegated_nodes']} of {row['nodes']}",
                f"{row['seconds']:.2f}",
                f"{times['ratio']:.2f} ({times['low']:.2f}-{times['high']:.2f})",
            )
        )
    return markdown_table(header, lines)


def main() -> None:
    """Make the files, measure them, append the rows and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="+", type=Path, help=".keras, for inputs in [-1, 1]")
    parser.add_argument("--data", type=Path, required=True, help=".npz in keras.datasets' form")
    modes = ["float16", "dynamic", "int8", "int16x8"]
    parser.add_argument("--modes", nargs="+", default=modes, choices=modes)
    parser.add_argument("--images", type=int, default=2000, help="test images")
    parser.add_argument("--sessions", type=int, default=9, help="turns of the timing, 2 or more")
    parser.add_argument("--out", type=Path, default=RESULTS / "engines.jsonl")
    args = parser.parse_args()
    data = np.load(args.data)
    order = np.random.default_rng(0).permutation(len(data["x_train"]))[:CALIBRATION]

    def scaled(images: np.ndarray) -> np.ndarray:
        return images.astype(np.float32) / 127.5 - 1

    calibration = scaled(data["x_train"][order])
    images = scaled(data["x_test"][: args.images])
    labels = data["y_test"].reshape(-1)[: args.images]
    bench = {"sessions": args.sessions, "num_runs": 5, "min_secs": 0.3, "warmup_min_secs": 0.1}
    rows = []
    for path in args.models:
        files = make(path, calibration, args.modes)
        name = path.parent.name if path.stem == "model" else path.stem
        rows += measure(name, files, images, labels, bench)
    append_lines(args.out, rows)
    print(markdown(rows))


if __name__ == "__main__":
    main()
