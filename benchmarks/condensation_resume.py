"""Whether a CondenseNeXt that is killed in training and resumed is condensed as it should be.

    LWCNN_DATA=... python -m benchmarks.condensation_resume --epochs 3

The schedule is compressed to these epochs. The training process gets SIGKILL in its second epoch
and is started again. Afterwards every group has to read exactly in/C inputs, and the three
deployment forms have to agree. Appends a row to benchmarks/results/condensation.jsonl; the exit
code is 1 when something does not hold.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.stored import RESULTS, append_lines
from lwcnn.rows import now

STORED = RESULTS / "condensation.jsonl"
TOLERANCE = 1e-5
IMAGES = 512
KILLED_AT = 0.4


def train_here(options: argparse.Namespace) -> None:
    """Train in this process, or go on after the last whole epoch of a killed one."""
    import keras

    from keras_lwcnn.condensation import Condensation, CondensationSchedule
    from keras_lwcnn.data import load_data
    from keras_lwcnn.models import CondenseNeXt
    from keras_lwcnn.models.condensenet import PRESETS
    from keras_lwcnn.training import Recipe, train

    recipe = Recipe(epochs=options.epochs, batch_size=64, augmentation="shift_flip")
    keras.utils.set_random_seed(recipe.seed)
    model = CondenseNeXt(**PRESETS[options.preset], classifier_activation=None)
    schedule = CondensationSchedule(total=options.epochs)
    train(model, load_data(options.data), recipe, options.out, callbacks=[Condensation(schedule)])


def kill_and_resume(options: argparse.Namespace) -> dict[str, Any]:
    """Start the training, kill it within its second epoch, resume it; return when it was killed."""
    command = [sys.executable, "-m", "benchmarks.condensation_resume", "--train-here"]
    command += ["--data", options.data, "--epochs", str(options.epochs)]
    command += ["--preset", options.preset, "--out", str(options.out)]
    record = options.out / "checkpoint.json"
    began = time.monotonic()
    with subprocess.Popen(command) as first:
        while not record.is_file():
            if first.poll() is not None:
                raise SystemExit("the training ended before its first epoch did")
            time.sleep(0.2)
        time.sleep(KILLED_AT * (time.monotonic() - began))
        first.send_signal(signal.SIGKILL)
    history = json.loads(record.read_text())["history"]
    print("killed in the middle of the next epoch; going on", flush=True)
    subprocess.run(command, check=True)
    return {"epochs_before_the_kill": len(history["loss"])}


def examine(options: argparse.Namespace) -> dict[str, Any]:
    """Return how many groups have exact inputs, and how far the three forms differ."""
    import keras
    import numpy as np

    from keras_lwcnn.condensation import FORMS, condensable_layers, deploy
    from keras_lwcnn.costs import costs
    from keras_lwcnn.data import load_data
    from keras_lwcnn.models import preprocess_input

    model = keras.saving.load_model(options.out / "model.keras")
    test = load_data(options.data).test
    layers = condensable_layers(model)
    exact = [
        (layer.active_inputs.sum(axis=0) == layer.mask.shape[0] // layer.condensation_factor).all()
        for layer in layers
    ]
    images = preprocess_input(test.images[:IMAGES])
    outputs = {"trained": model.predict(images, verbose=0)}
    forms = {form: deploy(model, form) for form in FORMS}
    outputs |= {form: built.predict(images, verbose=0) for form, built in forms.items()}
    largest = float(np.abs(outputs["trained"]).max())
    differences = {
        form: float(np.abs(outputs[form] - outputs["trained"]).max()) / largest for form in FORMS
    }
    right = model.predict(preprocess_input(test.images), verbose=0).argmax(axis=1) == test.labels
    return {
        "layers": len(layers),
        "layers_with_exact_inputs": int(sum(exact)),
        "relative_differences": differences,
        "test_images": len(test),
        "top1": float(right.mean()),
        "macs": {form: costs(built).macs for form, built in forms.items()},
    }


def main() -> int:
    """Measure and store a row; in the child process, train only."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--preset", default="tiny", help="of keras_lwcnn.models.condensenet")
    parser.add_argument("--out", type=Path, default=Path("runs/condensation"))
    parser.add_argument("--train-here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train_here:
        train_here(options)
        return 0
    row = {"kind": "condensation", "date": now(), "data": options.data, "preset": options.preset,
           "epochs": options.epochs}  # fmt: skip
    row |= kill_and_resume(options) | examine(options)
    row["holds"] = row["layers_with_exact_inputs"] == row["layers"] and all(
        difference <= TOLERANCE for difference in row["relative_differences"].values()
    )
    print(json.dumps(row, indent=1))
    append_lines(STORED, [row])
    return 0 if row["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
