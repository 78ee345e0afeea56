"""Ship the weights of a finished training, with what they reach on the test images and their page.

    python -m benchmarks.ship_weights l_mobilenet runs/lm
    python -m benchmarks.ship_weights l_mobilenet --data cifar10 --page-only

FOLDER was written by `lwcnn train`. The network is built anew, given the weights that go into the
package, converted to float32 and int8 and measured on the test images; only then the set is written
to `keras_lwcnn/weights/` and its page to `docs/models/`. The page is made of the set's entry in the
index and of the rows in `benchmarks/results/`, and can be made again alone.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.model_pages import page_of, read_instructions
from benchmarks.pages import DOCS
from keras_lwcnn.files import write_bytes
from keras_lwcnn.weights import ShippedSet, shipped
from keras_lwcnn.weights.index import FOLDER

MODES = ("float32", "int8")
PAGES = DOCS / "models"


def ship(network: str, folder: Path, package: Path = FOLDER) -> ShippedSet:
    """Measure the network of a training's folder, and write its set to the package's folder.

    Raises:
        FileNotFoundError: there is no finished training in the folder.
        ValueError: a training of another network, not condensed to its end, or too large.
    """
    import keras

    from convert.source.keras_file import read_record
    from keras_lwcnn.condensation import is_condensed
    from keras_lwcnn.weights.archive import arrays_of, pack
    from keras_lwcnn.weights.packaging import add_set, describe
    from lwcnn.common import DataSource, loaded

    file = folder / "model.keras"
    record = read_record(file)
    if not record:
        raise FileNotFoundError(f"there is no finished training in {folder}: no model.json")
    trained = keras.saving.load_model(file, compile=False, safe_mode=True)
    if not is_condensed(trained):
        raise ValueError(f"{file} has learned groups that are not condensed to their last stage")
    arrays = arrays_of(trained)
    content = pack(arrays)
    dataset = loaded(DataSource.recorded(record), record["dataset"]["input_shape"][0])
    costs, rows = measure(network, arrays, record, folder / "model.json", dataset)
    made = describe(network, record, content, costs=costs, test=dataset.test, rows=rows)
    add_set(made, content, package)
    return made


def measure(
    network: str,
    arrays: Mapping[str, Any],
    record: Mapping[str, Any],
    record_file: Path,
    dataset: Any,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Build a network with the weights to ship; return its costs and one row per converted file."""
    from keras_lwcnn.costs import costs
    from keras_lwcnn.models import build
    from keras_lwcnn.weights.loading import assign
    from lwcnn.conversion import convert_model
    from lwcnn.verbs.compare import compare_files

    model = build(
        network,
        input_shape=tuple(record["dataset"]["input_shape"]),
        classes=len(record["dataset"]["class_names"]),
        classifier_activation=None,
    )
    assign(model, arrays, f"the weights beside {record_file}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{network}.keras")
        model.save(file)
        shutil.copyfile(record_file, file.with_suffix(".json"))
        made = convert_model(file, file.parent, modes=MODES, data=dataset)
        rows = compare_files([file.parent / row["file"] for row in made], data=dataset)
    return costs(model).to_dict(), rows


def write_page(made: ShippedSet, pages: Path = PAGES) -> Path:
    """Write a set's page and return its path."""
    text = page_of(made, read_instructions(made))
    return write_bytes(pages / f"{made.id}.md", text.encode())


def main(argv: Sequence[str] | None = None) -> None:
    """Ship a training's weights, or make the page of shipped ones again."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("network", help="a name that `lwcnn models` lists")
    parser.add_argument("folder", type=Path, nargs="?", help="of the training")
    parser.add_argument("--data", default="cifar10", help="of the shipped set, for --page-only")
    parser.add_argument("--page-only", action="store_true", help="write the page alone")
    options = parser.parse_args(argv)
    if options.page_only == (options.folder is not None):
        parser.error("give the folder of a training, or --page-only")
    if options.page_only:
        made = shipped(options.network, options.data)
    else:
        made = ship(options.network, options.folder)
        print(json.dumps([measured.to_dict() for measured in made.measured], indent=1))
        print(f"wrote {FOLDER / made.file}")
    print(f"wrote {write_page(made)}")


if __name__ == "__main__":
    main()
