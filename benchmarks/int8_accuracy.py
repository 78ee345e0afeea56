"""What int8 costs: `auto` against stock TF PTQ, ai-edge-quantizer and quantization-aware training.

For each Keras model (inputs in [-1, 1], logits or softmax) all four are made from the same 300
training images; `auto` judges itself on 1,000 other training images; the test images are used
once, at the end. Writes one JSON row for each file and one with the means.

    python benchmarks/int8_accuracy.py MODEL.keras ... --data cifar10.npz --out rows.jsonl
"""

import argparse
import json
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from convert import compare, to_tflite
from convert.quiet import quiet

CALIBRATION, VALIDATION = 300, 1000


def edge_static(float_file, images):
    """Quantize with ai-edge-quantizer's static int8 recipe."""
    from ai_edge_quantizer import quantizer, recipe

    work = quantizer.Quantizer(bytearray(float_file))
    work.load_quantization_recipe(recipe.static_wi8_ai8())
    data = {"serving_default": [{"images": image[None]} for image in images]}
    return bytes(work.quantize(work.calibrate(data)).quantized_model)


def aware(model, images, labels, epochs):
    """Quantize after quantization-aware training on training images."""
    from convert import tfmot

    tuning = tfmot.FineTuning(epochs=epochs, learning_rate=1e-4)
    return tfmot.quantization_aware(model, images, labels, tuning).content


def main():
    """Make the files, compare them and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, required=True, help=".npz in keras.datasets' form")
    parser.add_argument("--qat-images", type=int, default=10_000)
    parser.add_argument("--qat-epochs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("/dev/stdout"))
    args = parser.parse_args()

    from convert.graph import load_model

    data = np.load(args.data)
    order = np.random.default_rng(0).permutation(len(data["x_train"]))

    def scaled(images):
        return images.astype(np.float32) / 127.5 - 1

    def training(start, count):
        chosen = order[start : start + count]
        return scaled(data["x_train"][chosen]), data["y_train"].reshape(-1)[chosen]

    calibration, _ = training(0, CALIBRATION)
    validation = training(CALIBRATION, VALIDATION)
    tuning = training(CALIBRATION + VALIDATION, args.qat_images)
    rows = []
    for path in args.models:
        model = load_model(path)
        shared = {"input_range": (-1.0, 1.0), "output": "logits"}
        float_file = to_tflite(model, **shared).content
        auto = to_tflite(
            model, "int8", calibration, quantization="auto", validation_data=validation, **shared
        )
        contents = {
            "float32": float_file,
            "auto": auto.content,
            "stock TF PTQ": to_tflite(model, "int8", calibration, **shared).content,
        }
        with quiet():
            contents["ai-edge-quantizer static_wi8_ai8"] = edge_static(float_file, calibration)
            contents["quantization-aware training"] = aware(model, *tuning, args.qat_epochs)
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for name, content in contents.items():
                files[name] = Path(folder, f"{len(files)}.tflite")
                files[name].write_bytes(content)
            result = compare(files, scaled(data["x_test"]), data["y_test"].reshape(-1))
        for row in result.to_rows():
            del row["confusion_changes"]
            row |= {"kind": "int8_accuracy", "model": path.stem, "file": None}
            if row["mode"] == "auto":
                row["quantization"] = auto.facts["quantization"]
            rows.append(row)
    for name in dict.fromkeys(row["mode"] for row in rows):
        chosen = [row for row in rows if row["mode"] == name]
        rows.append(
            {
                "kind": "int8_accuracy",
                "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "model": "mean",
                "mode": name,
                "models": len(chosen),
                "drop": float(np.mean([row["drop"] for row in chosen])),
                "agreement": float(np.mean([row["agreement"] for row in chosen])),
            }
        )
    with args.out.open("a") as file:
        for row in rows:
            print(json.dumps(row), file=file)


if __name__ == "__main__":
    main()
