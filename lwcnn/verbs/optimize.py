"""Train a network further for int8, or with weights pruned or clustered."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from keras_lwcnn.data import ImageDataset

EXTRA = "optimize"
USES_KERAS = True

WAYS = ("int8", "pruned", "clustered")
DEFAULT_SPARSITY = 0.5
DEFAULT_CLUSTERS = 32

DESCRIPTION = """Train a network further with tensorflow-model-optimization. `--for int8`
simulates rounding in training and writes MODEL.qat.tflite. `--for pruned` sets weights to zero, and
`--for clustered` leaves few different ones per layer. These two write MODEL.pruned.keras or
MODEL.clustered.keras with its record, which `lwcnn convert` takes; the converted files are smaller
after compression. Compare them with the network's own files: lwcnn compare MODEL.*.tflite."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `lwcnn optimize`."""
    from lwcnn.common import add_data_arguments
    from lwcnn.verbs.convert import add_input_range_argument

    parser.description = DESCRIPTION
    parser.add_argument("model", type=Path, metavar="MODEL.keras")
    parser.add_argument("--for", dest="way", choices=WAYS, required=True, help="what to train for")
    add_data_arguments(parser, required=False)
    parser.add_argument(
        "--images",
        type=int,
        metavar="COUNT",
        help="training images, balanced by class (default: all)",
    )
    parser.add_argument("--epochs", type=int, default=1, help="passes over the images (default 1)")
    parser.add_argument("--batch-size", type=int, default=64, help="images per step (default 64)")
    parser.add_argument(
        "--learning-rate",
        type=float,
        default=1e-4,
        help="learning rate of Adam (default 1e-4): a tenth or less of what trained the network",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the order of images (default 0)"
    )
    parser.add_argument(
        "--sparsity",
        type=float,
        help=f"with --for pruned: share of weights at zero (default {DEFAULT_SPARSITY})",
    )
    parser.add_argument(
        "--clusters",
        type=int,
        help=f"with --for clustered: different weights per layer (default {DEFAULT_CLUSTERS})",
    )
    parser.add_argument("--out", type=Path, help="folder for the result (default: the model's)")
    add_input_range_argument(parser)


def main(args: argparse.Namespace) -> None:
    """Run `lwcnn optimize`."""
    from convert.optimize import tfmot
    from convert.source.float_tflite import load_model
    from keras_lwcnn.data import balanced_indices, scale_images
    from lwcnn.common import data_from, working
    from lwcnn.compare_inputs import check_classes, recorded_source
    from lwcnn.conversion import TrainedModel

    setting = _setting(args)
    tuning = tfmot.FineTuning(args.epochs, args.batch_size, args.learning_rate, args.seed)
    model = load_model(args.model)
    trained = TrainedModel.read(args.model, args.input_range)
    source = data_from(args) or recorded_source(args.model)
    dataset = trained.load(source, args.image_size or model.input_shape[1])
    check_classes(dataset, max(2, model.output_shape[-1]), trained.class_names, args.model)
    count = len(dataset.train) if args.images is None else args.images
    indices = balanced_indices(dataset.train.labels, count)
    images = scale_images(dataset.train.images[indices], trained.input_range)
    arguments = (model, images, dataset.train.labels[indices])
    out = args.out or args.model.parent
    with working(f"Training {args.model} further on {len(images)} images") as say:
        if args.way == "int8":
            known = {"input_range": trained.input_range, "class_names": trained.class_names}
            file = tfmot.quantization_aware(*arguments, tuning, progress=say, **known)
        else:
            train = {"pruned": tfmot.pruned, "clustered": tfmot.clustered}[args.way]
            optimized = train(*arguments, tuning=tuning, progress=say, **setting)
    if args.way == "int8":
        path = file.save(out / f"{args.model.stem}.qat.tflite").path
        reference = out / f"{args.model.stem}.float32.tflite"
        print(f"wrote {path}; compare it: lwcnn compare {reference} {path}")
        return
    path = out / f"{args.model.stem}.{args.way}.keras"
    top1 = _top1(optimized, dataset, trained.input_range)
    origin = {"file": args.model.name, "way": args.way, **setting, **tuning.to_dict()}
    changes = {"origin": origin, "val": {"top1": top1}, "history": {}}
    _save(optimized, path, trained.record, changes)
    print(
        f"{model.name}, {args.way}: top-1 {top1:.2%} on the {len(dataset.val)} validation images "
        f"of {dataset.name}; wrote {path}"
    )


def _setting(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the way alone has to be told; refuse what is for another one."""
    defaults = {
        "pruned": ("sparsity", DEFAULT_SPARSITY),
        "clustered": ("clusters", DEFAULT_CLUSTERS),
    }
    for way, (name, _) in defaults.items():
        value = getattr(args, name)
        if value is not None and way != args.way:
            raise ValueError(f"--{name} {value} is for --for {way}; this is --for {args.way}")
    if args.way not in defaults:
        return {}
    name, default = defaults[args.way]
    value = getattr(args, name)
    return {name: default if value is None else value}


def _top1(model: keras.Model, dataset: ImageDataset, input_range: tuple[float, ...]) -> float:
    from convert.tflite.metrics import class_scores, top_k
    from keras_lwcnn.data import scale_images

    outputs = model.predict(scale_images(dataset.val.images, input_range), verbose=0)
    return top_k(class_scores(outputs), dataset.val.labels)


def _save(model: keras.Model, path: Path, record: dict[str, Any], changes: dict[str, Any]) -> None:
    from keras_lwcnn.files import write_json, written_beside

    with written_beside(path) as temporary:
        model.save(temporary)
    if record:
        write_json(path.with_suffix(".json"), record | changes)
