"""Each mode by TensorFlow's quantizer and by ai-edge-quantizer: what both files cost.

Both start from one lowered Keras model and the same calibration images: ai-edge-quantizer and
TensorFlow's integer modes from its float32 file, TensorFlow's float16 and dynamic modes, which it
makes only while it converts, from the model itself; their seconds count that conversion. All files
of a model are timed in one run, in which they take turns. `convert.MODES` names the engine chosen.
Writes one JSON row a file and prints a table; weight_int8 is missing, for TensorFlow has none.

    python -m benchmarks.engines MODEL.keras ... --data cifar10.npz --out rows.jsonl
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from android_bench import benchmark_interleaved
from android_bench.statistics import paired_ratio
from benchmarks.pages import markdown_table
from convert import MODES, compare, inspect_tflite
from convert.quantize.quantization import quantize
from convert.quiet import quiet

CALIBRATION = 300
INTERFACE = {"int8": "int8", "int16x8": "int16"}
"""The input and output types that ai-edge-quantizer gives these modes, for both engines."""


def tensorflow(model, float_file, mode, images):
    """Make a mode with TensorFlow's quantizer."""
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


def edge(model, float_file, mode, images):
    """Make a mode with ai-edge-quantizer."""
    if mode not in INTERFACE:
        return quantize(float_file, MODES[mode])
    from ai_edge_quantizer import quantizer, recipe

    recipes = {"int8": recipe.static_wi8_ai8, "int16x8": recipe.static_wi8_ai16}
    with quiet():
        work = quantizer.Quantizer(bytearray(float_file))
        work.load_quantization_recipe(recipes[mode]())
        data = {"serving_default": [{"images": image[None]} for image in images]}
        return bytes(work.quantize(work.calibrate(data)).quantized_model)


ENGINES = {"tensorflow": tensorflow, "ai-edge-quantizer": edge}


def make(path, images, modes):
    """Return (mode, engine) -> (content, seconds) of a Keras model's files."""
    from convert.lowering import lower
    from convert.source import float_tflite as graph
    from convert.tflite import flatbuffer

    model, _ = lower(graph.load_model(path), "masked")
    began = time.perf_counter()
    float_file = flatbuffer.finish(graph.float_tflite(model), "logits")
    made = {("float32", MODES["float32"].engine): (float_file, time.perf_counter() - began)}
    for mode in modes:
        for engine, quantizer in ENGINES.items():
            began = time.perf_counter()
            content = quantizer(model, float_file, mode, images)
            seconds = time.perf_counter() - began
            # Only what TensorFlow converted itself still has the model's own output.
            if engine == "tensorflow" and mode not in INTERFACE:
                content = flatbuffer.finish(content, "logits")
            made[mode, engine] = content, seconds
    return made


def measure(name, made, images, labels, bench):
    """Return a row for each of a model's files."""
    with tempfile.TemporaryDirectory() as folder:
        files = {key: Path(folder, f"{'.'.join(key)}.tflite") for key in made}
        for key, file in files.items():
            file.write_bytes(made[key][0])
        reference = next(iter(files))
        results = benchmark_interleaved(list(files.values()), **bench)
        medians = {key: r.session_medians_us for key, r in zip(files, results, strict=True)}
        compared = compare(files, images, labels, reference=reference)
    rows = []
    for row in compared.rows:
        mode, engine = row.mode
        found = inspect_tflite(made[row.mode][0])
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
                "partitions": found.partitions,
                "nodes": found.nodes,
                "delegated_nodes": found.delegated_nodes,
                "seconds": made[row.mode][1],
                "median_us": float(np.median(medians[row.mode])),
                "times_float32": paired_ratio(medians[reference], medians[row.mode]).to_dict(),
            }
        )
    return rows


def markdown(rows):
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


def main():
    """Make the files, measure them, append the rows and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path, help=".keras, for inputs in [-1, 1]")
    parser.add_argument("--data", type=Path, required=True, help=".npz in keras.datasets' form")
    parser.add_argument("--modes", nargs="+", default=["float16", "dynamic", "int8", "int16x8"])
    parser.add_argument("--images", type=int, default=2000, help="test images")
    parser.add_argument("--sessions", type=int, default=9, help="turns of the timing, 2 or more")
    parser.add_argument("--out", type=Path, default=Path("/dev/stdout"))
    args = parser.parse_args()
    data = np.load(args.data)
    order = np.random.default_rng(0).permutation(len(data["x_train"]))[:CALIBRATION]

    def scaled(images):
        return images.astype(np.float32) / 127.5 - 1

    calibration = scaled(data["x_train"][order])
    images = scaled(data["x_test"][: args.images])
    labels = data["y_test"].reshape(-1)[: args.images]
    bench = {"sessions": args.sessions, "num_runs": 5, "min_secs": 0.3, "warmup_min_secs": 0.1}
    rows = []
    for path in args.models:
        made = make(path, calibration, args.modes)
        name = path.parent.name if path.stem == "model" else path.stem
        rows += measure(name, made, images, labels, bench)
    with args.out.open("a") as file:
        for row in rows:
            print(json.dumps(row), file=file)
    print(markdown(rows))


if __name__ == "__main__":
    main()
