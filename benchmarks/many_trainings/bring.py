"""Make the folder that `lwcnn train` would have written, of weights and the row of their training.

    LWCNN_DATA=... python -m benchmarks.many_trainings.bring WEIGHTS.npz rows.jsonl \
        --name long-l --data cifar10 --out runs/lm

The statistics of batch normalization are measured anew over 100 batches, as the recipe says.
"""

import argparse
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks.many_trainings.networks import network
from keras_lwcnn.data import ImageDataset, load_data
from keras_lwcnn.training import Recipe
from keras_lwcnn.training.result import TrainingResult
from keras_lwcnn.training.running import Plan, Run
from keras_lwcnn.training.settling import settle_statistics
from keras_lwcnn.version import __version__

SETTLE_BATCHES = 100


def recipe_of(row: dict[str, Any]) -> Recipe:
    """Return the recipe that a row's settings are."""
    settings = row["settings"]
    taken = ("epochs", "seed", "learning_rate", "adam_learning_rate", "weight_decay",
             "adam_weight_decay", "warmup", "label_smoothing")  # fmt: skip
    return Recipe(
        optimizer="muon",
        batch_size=row["batch"],
        augmentation="shift_flip_erase" if settings["erase"] else "shift_flip",
        precision=row["precision"],
        settle_batches=SETTLE_BATCHES,
        **{name: settings[name] for name in taken},
    )


def bring(weights: Path, row: dict[str, Any], dataset: ImageDataset, out: Path) -> dict[str, float]:
    """Write `model.keras` and `model.json`; return what the network measures on the test images."""
    model = network(row["network"], **row["arguments"])
    with np.load(weights) as file:
        model.set_weights([file[variable.path] for variable in model.weights])
    recipe = recipe_of(row)
    every = row["settings"]["images"] == "all"
    plan = Plan(model, dataset, recipe, "logits", all_images=every)
    run = Run(Plan(**{**vars(plan), "recipe": Recipe.from_dict(
        {**recipe.to_dict(), "precision": "float32"})}))  # fmt: skip
    settle_statistics(run.whole, (run.batches[i][0] for i in range(SETTLE_BATCHES)))
    model.set_weights(run.working.get_weights())
    run.whole.compile(**run.plan.measures())
    val = run.whole.evaluate(run.validation, verbose=0, return_dict=True)
    steps_per_epoch = row["steps"] / recipe.epochs
    result = TrainingResult(
        model=row["network"],
        dataset=dataset.to_dict(),
        input_range=(-1.0, 1.0),
        output="logits",
        recipe=recipe.to_dict(),
        val={name: float(value) for name, value in val.items()},
        history={
            "epoch": [round(step / steps_per_epoch, 2) for step, *_ in row["curve"]],
            "val_top1": [top1 for _, top1, _ in row["curve"]],
            "val_loss": [loss for *_, loss in row["curve"]],
        },
        seconds=row["seconds"],
        versions={"keras": keras.version(), "backend": "jax", "keras_lwcnn": __version__},
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        all_images=every,
    )
    out.mkdir(parents=True, exist_ok=True)
    model.save(out / "model.keras")
    result.save(out / "model.json")
    x = dataset.test.images
    logits = np.concatenate(
        [model.predict_on_batch(x[i : i + 500].astype("float32") / 127.5 - 1.0)
         for i in range(0, len(x), 500)]
    )  # fmt: skip
    return {"val_top1": result.val["top1"],
            "test_top1": float((logits.argmax(-1) == dataset.test.labels).mean())}  # fmt: skip


def main() -> None:
    """Bring one training."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--name", required=True, help="of the row")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.rows.read_text().splitlines()]
    row = [row for row in rows if row["name"] == options.name][-1]
    print(json.dumps(bring(options.weights, row, load_data(options.data), options.out)))


if __name__ == "__main__":
    main()
