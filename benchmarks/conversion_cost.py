"""Time and peak memory of five modes: one `to_tflites` call against five TFLiteConverter calls.

    python -m benchmarks.conversion_cost

The two ways take turns, each in a fresh process whose imports count, on one MobileNetV2 (224 px,
random weights) and the same calibration images. Appends one row per run and one with the ratios of
the medians to benchmarks/results/conversion_cost.jsonl.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import psutil

from benchmarks.stored import RESULTS, append_lines
from lwcnn.rows import now

IMAGES = 20
SAMPLING_SECONDS = 0.02
OUR_WAY, STOCK_WAY = "to_tflites", "five TFLiteConverter calls"

PREPARE = """
import keras, numpy as np, sys
keras.utils.set_random_seed(0)
model = keras.applications.MobileNetV2(weights=None)
# Without statistics of real images, activations shrink until an int16 file cannot hold them.
for layer in model.layers:
    if isinstance(layer, keras.layers.BatchNormalization):
        layer.momentum = 0.0
model(np.load(sys.argv[2]), training=True)
model.save(sys.argv[1])
"""

OURS = """
import sys, numpy as np
from convert import DEFAULT_MODES, to_tflites
folder = sys.argv[3]
to_tflites(sys.argv[1], DEFAULT_MODES, np.load(sys.argv[2]), input_range=(-1.0, 1.0),
           paths={mode: f"{folder}/{mode}.tflite" for mode in DEFAULT_MODES})
"""

STOCK = """
import sys, keras, numpy as np, tensorflow as tf
images = np.load(sys.argv[2])
model = keras.saving.load_model(sys.argv[1], compile=False)
inputs = keras.Input(model.input_shape[1:], batch_size=1)
model = keras.Model(inputs, model(inputs))
def dataset():
    for image in images:
        yield [image[None]]
def convert(mode):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if mode != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if mode in ("int8", "int16x8"):
        converter.representative_dataset = dataset
    if mode == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    if mode == "int16x8":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
    return converter.convert()
for mode in ("float32", "float16", "dynamic", "int8", "int16x8"):
    open(f"{sys.argv[3]}/{mode}.tflite", "wb").write(convert(mode))
"""


def measured(script: str, *arguments: str | Path) -> tuple[float, int]:
    """Run a script in a fresh process; return its seconds, and peak bytes with all its children."""
    began = time.perf_counter()
    child = psutil.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ, CUDA_VISIBLE_DEVICES="-1", PYTHONPATH=os.getcwd()),
    )
    peak = 0
    while child.poll() is None:
        total = 0
        try:
            for process in (child, *child.children(recursive=True)):
                total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
        peak = max(peak, total)
        time.sleep(SAMPLING_SECONDS)
    if child.returncode:
        raise SystemExit(f"a measured process ended with {child.returncode}")
    return time.perf_counter() - began, peak


def main() -> None:
    """Measure both ways in turns and append the rows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "conversion_cost.jsonl")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        model, images = Path(folder, "model.keras"), Path(folder, "images.npy")
        random = np.random.default_rng(0)
        np.save(images, random.uniform(-1, 1, (IMAGES, 224, 224, 3)).astype(np.float32))
        prepare = [sys.executable, "-c", PREPARE, model, images]
        subprocess.run(prepare, check=True, capture_output=True)
        for number in range(args.rounds):
            for name, script in ((OUR_WAY, OURS), (STOCK_WAY, STOCK)):
                seconds, peak = measured(script, model, images, folder)
                rows.append({"way": name, "round": number, "seconds": seconds, "peak_bytes": peak})
    ratios = {
        f"{name}_ratio": median(row[key] for row in rows if row["way"] == OUR_WAY)
        / median(row[key] for row in rows if row["way"] == STOCK_WAY)
        for name, key in (("time", "seconds"), ("memory", "peak_bytes"))
    }
    facts = {"kind": "conversion_cost", "date": now()}
    append_lines(args.out, (facts | row for row in [*rows, ratios]))
    print(", ".join(f"{name}: {ratio:.2f}" for name, ratio in ratios.items()))


if __name__ == "__main__":
    main()
