"""Transfer learning: a trained network learns other classes."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras

from keras_lwcnn.data.dataset import ImageDataset
from keras_lwcnn.models import build
from keras_lwcnn.training.freezing import BASE
from keras_lwcnn.training.recipe import Recipe
from keras_lwcnn.training.result import TrainingResult
from keras_lwcnn.training.trainer import train
from keras_lwcnn.weights import shipped_sets

HEAD_FOLDER = "head"


@dataclass(frozen=True)
class Source:
    """A trained network to begin with.

    Attributes:
        load: gives it.
        network: its name.
        input_shape: (height, width, channels) of its images.
        input_range: what pixels 0 and 255 became.
        origin: what the records of further trainings say of it.
    """

    load: Callable[[], keras.Model]
    network: str
    input_shape: tuple[int, int, int]
    input_range: tuple[float, float]
    origin: dict[str, Any]


def with_new_head(
    model: keras.Model, classes: int, input_shape: tuple[int, int, int] | None = None
) -> keras.Model:
    """Return a copy of a classifier whose last layer is new and tells other classes, as logits.

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
        raise ValueError(f"classes={classes} is too small; allowed is 2 or more")
    last = model.layers[-1]
    if not hasattr(last, "units"):
        raise ValueError(
            f"the last layer of {model.name} is {last.name!r} of type {type(last).__name__}; a "
            "dense one is needed, whose units are the classes"
        )
    shape = tuple(input_shape or model.input_shape[1:])
    if shape[-1] != model.input_shape[-1]:
        raise ValueError(
            f"the new images have the shape {shape}; {model.name} takes {model.input_shape[-1]} "
            "channels"
        )

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
    source: str | Path | Source,
    dataset: ImageDataset,
    recipe: Recipe,
    out: str | Path,
    *,
    tuning: Recipe | None = None,
    show_progress: bool = True,
) -> tuple[TrainingResult, TrainingResult]:
    """Teach a trained network the classes of another data set, in two trainings.

    The first trains a new head, and what `recipe.frozen` does not keep, into `out`/head. The second
    trains all layers at a lower rate, with batch normalization in inference mode, into `out`. Both
    go on where they were killed.

    Source: the two steps are those of the Xception-Lite paper (Canadian AI 2024), Caltech-101 to
    PCB: 60 epochs with the base frozen, 20 with all layers.

    Args:
        source: a `.keras` file with the training record beside it that `train` writes, or
            NETWORK-DATA of shipped weights, or what `open_source` made of either.
        dataset: the images to learn.
        recipe: of the first training; where it freezes nothing, `base` is frozen.
        out: folder for the results.
        tuning: of the second; None: `tuning_of(recipe)`.
        show_progress: as of `train`.

    Returns:
        The records of both trainings.

    Raises:
        ValueError: what `open_source`, `with_new_head` and `train` refuse.
    """
    out = Path(out)
    recipe = recipe if recipe.frozen else replace(recipe, frozen=BASE)
    tuning = tuning or tuning_of(recipe)
    began = source if isinstance(source, Source) else open_source(source)
    shared: dict[str, Any] = {
        "input_range": began.input_range,
        "show_progress": show_progress,
        "origin": began.origin,
    }
    head = _finished(out / HEAD_FOLDER, recipe, began.origin, dataset)
    if head is None:
        keras.utils.set_random_seed(recipe.seed)
        model = with_new_head(began.load(), len(dataset.class_names), dataset.input_shape)
        head = train(model, dataset, recipe, out / HEAD_FOLDER, **shared)
    model = keras.saving.load_model(out / HEAD_FOLDER / "model.keras", compile=False)
    return head, train(model, dataset, tuning, out, **shared)


def open_source(source: str | Path) -> Source:
    """Find a trained network, without loading it yet.

    Args:
        source: a `.keras` file with its training record, or NETWORK-DATA of a shipped set.

    Raises:
        ValueError: neither, or no record beside the file.
    """
    sets = {each.id: each for each in shipped_sets()}
    if str(source) in sets:
        each = sets[str(source)]
        build_it = partial(
            build,
            each.network,
            weights=each.data,
            input_shape=each.input_shape,
            classes=len(each.class_names),
            classifier_activation=None,
        )
        facts = (each.training["recipe"], each.data, each.sha256)
        return Source(build_it, each.network, each.input_shape, each.input_range, _origin(*facts))
    path = Path(source)
    if not path.is_file():
        raise ValueError(
            f"{path} is no file; allowed are a .keras file that lwcnn train wrote, and "
            + (", ".join(sets) or "shipped weights, of which there are none")
        )
    record = TrainingResult.beside(path)
    if record is None:
        raise ValueError(
            f"there is no training record {path.with_suffix('.json')}, which tells what range of "
            "pixels the network expects"
        )
    return Source(
        partial(keras.saving.load_model, path, compile=False),
        record.model,
        tuple(record.dataset["input_shape"]),
        record.input_range,
        _origin(
            record.recipe, record.dataset["name"], hashlib.sha256(path.read_bytes()).hexdigest()
        ),
    )


def _origin(recipe: dict[str, Any], data: str, sha256: str) -> dict[str, Any]:
    return {"sha256": sha256, "data": data, "epochs": recipe["epochs"]}


def tuning_of(recipe: Recipe) -> Recipe:
    """Return the recipe of the second training: a third of the epochs at a tenth of the rate."""
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
    """Return the record of the first training where the folder holds the same one, finished."""
    file = folder / "model.keras"
    result = TrainingResult.beside(file) if file.is_file() else None
    if result is None:
        return None
    wanted = (recipe.to_dict(), origin, dataset.to_dict())
    return result if (result.recipe, result.origin, result.dataset) == wanted else None
