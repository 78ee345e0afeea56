"""Transfer learning: a trained network learns other classes."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from keras_lwcnn.data.dataset import ImageDataset
from keras_lwcnn.record import read_record
from keras_lwcnn.training.freezing import BASE
from keras_lwcnn.training.recipe import Recipe
from keras_lwcnn.training.result import TrainingResult
from keras_lwcnn.training.trainer import train

HEAD_FOLDER = "head"


def with_new_head(
    model: keras.Model, classes: int, input_shape: tuple[int, int, int] | None = None
) -> keras.Model:
    """Give a copy of a classifier whose last layer is new and tells other classes, as logits.

    Args:
        model: ends in one layer with `units`, as `keras.layers.Dense`.
        classes: number of the new classes, at least 2.
        input_shape: (height, width, channels) of the new images; None: as before. Sizes may
            differ for networks that pool over the whole feature map.

    Returns:
        The model, of the same name and layer names; all layers but the last with the same weights.

    Raises:
        ValueError: fewer than 2 classes, another last layer, or images that the network cannot
            take.
    """
    if classes < 2:
        raise ValueError(f"classes has to be at least 2, got {classes}")
    last = model.layers[-1]
    if not hasattr(last, "units"):
        raise ValueError(
            f"the last layer of {model.name} is {last.name!r} of type {type(last).__name__}; a "
            "dense one is needed, whose units are the classes"
        )
    shape = tuple(input_shape or model.input_shape[1:])
    if shape[-1] != model.input_shape[-1]:
        raise ValueError(f"{model.name} takes images {model.input_shape[1:]}, got {shape}")

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        changed = {"units": classes, "activation": None} if layer is last else {}
        return type(layer).from_config({**layer.get_config(), **changed})

    inputs = keras.Input(shape, name=model.inputs[0].name)
    copy = keras.models.clone_model(model, input_tensors=inputs, clone_function=copied)
    for layer in model.layers[:-1]:
        if layer.weights:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy


def transfer(
    source: str | Path,
    dataset: ImageDataset,
    recipe: Recipe,
    out: str | Path,
    *,
    tuning: Recipe | None = None,
    show_progress: bool = True,
    deterministic: bool = False,
) -> tuple[TrainingResult, TrainingResult]:
    """Teach a trained network the classes of another data set, in two trainings.

    The first trains a new head, and what `recipe.frozen` does not keep, into `out`/head. The second
    trains all layers at a lower rate, with batch normalization in inference mode, into `out`. Both
    go on where they were killed.

    Source: the two steps are those of the Xception-Lite paper (Canadian AI 2024), Caltech-101 to
    PCB: 60 epochs with the base frozen, 20 with all layers.

    Args:
        source: a `.keras` file with the training record beside it that `train` writes.
        dataset: the images to learn.
        recipe: of the first training; where it freezes nothing, `base` is frozen.
        out: folder for the results.
        tuning: of the second; None: `tuning_of(recipe)`.
        show_progress: as of `train`.
        deterministic: as of `train`.

    Returns:
        The records of both trainings.

    Raises:
        ValueError: no record beside the source, or what `with_new_head` and `train` refuse.
    """
    out = Path(out)
    recipe = recipe if recipe.frozen else replace(recipe, frozen=BASE)
    tuning = tuning or tuning_of(recipe)
    record = read_record(source)
    if not record:
        raise ValueError(
            f"there is no training record {Path(source).with_suffix('.json')}, which tells what "
            "range of pixels the network expects"
        )
    shared: dict[str, Any] = {
        "input_range": tuple(record["input_range"]),
        "show_progress": show_progress,
        "deterministic": deterministic,
    }
    origin = {
        "sha256": hashlib.sha256(Path(source).read_bytes()).hexdigest(),
        "data": record["dataset"]["name"],
        "epochs": record["recipe"]["epochs"],
    }
    head = _finished(out / HEAD_FOLDER, recipe, origin, dataset)
    if head is None:
        keras.utils.set_random_seed(recipe.seed)
        model = with_new_head(
            keras.saving.load_model(source, compile=False),
            len(dataset.class_names),
            dataset.input_shape,
        )
        head = train(model, dataset, recipe, out / HEAD_FOLDER, origin=origin, **shared)
    model = keras.saving.load_model(out / HEAD_FOLDER / "model.keras", compile=False)
    return head, train(model, dataset, tuning, out, origin=origin, **shared)


def tuning_of(recipe: Recipe) -> Recipe:
    """Give the recipe of the second training: a third of the epochs at a tenth of the rate."""
    return replace(
        recipe,
        epochs=max(1, recipe.epochs // 3),
        learning_rate=recipe.learning_rate / 10,
        frozen="",
        frozen_normalization=True,
    )


def _finished(
    folder: Path, recipe: Recipe, origin: dict[str, Any], dataset: ImageDataset
) -> TrainingResult | None:
    """Give the record of the first training where the folder holds the same one, finished."""
    record = read_record(folder / "model.keras")
    if not record or not (folder / "model.keras").is_file():
        return None
    del record["kind"]
    result = TrainingResult(**record)
    wanted = (recipe.to_dict(), origin, dataset.to_dict())
    return result if (result.recipe, result.origin, result.dataset) == wanted else None
