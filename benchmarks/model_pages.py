"""The page of a shipped set of weights, as Markdown made of its entry and of stored rows."""

import textwrap
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from benchmarks.pages import ROOT, markdown_table
from keras_lwcnn.models import model_named
from keras_lwcnn.training import RECIPES, Recipe
from keras_lwcnn.weights import ShippedSet
from lwcnn.rows import read_rows

RESULTS = ROOT / "benchmarks" / "results"
PUBLISHED_TEST_IMAGES = {"cifar10": 10_000, "cifar100": 10_000}
CLASSES_OF_COUNTED = 10
WIDTH = 100

# (mode, core) -> AArch64 instructions of one inference.
Instructions = Mapping[tuple[str, str], int]


def read_instructions(made: ShippedSet, results: Path = RESULTS) -> dict[tuple[str, str], int]:
    """Return the stored counts of a set's architecture, which do not depend on its weights."""
    if len(made.class_names) != CLASSES_OF_COUNTED:
        return {}
    size = made.input_shape[0]
    named = [("instructions.rows.jsonl", f"{made.network}@{size}")]
    if made.data == "cifar10":
        named.append(("trained_networks.jsonl", made.network))
    counts: dict[tuple[str, str], int] = {}
    for name, model in named:
        path = results / name
        for row in read_rows(path, "bench") if path.is_file() else []:
            if row["model"] == f"{model}.{row['mode']}.tflite" and row["instructions"]:
                core = row["device"].removeprefix("emulated:")
                counts.setdefault((row["mode"], core), row["instructions"])
    return counts


def page_of(made: ShippedSet, instructions: Instructions) -> str:
    """Return the page of a set."""
    sections = (
        _head(made),
        _accuracy(made),
        _cost(made, instructions),
        _training(made),
        _limits(made),
    )
    return "\n".join(sections)


def _wrapped(*sentences: str, item: bool = False) -> str:
    """Return a paragraph, or an item of a list, in lines of the pages' width."""
    indent = "- " if item else ""
    return textwrap.fill(
        " ".join(filter(None, sentences)),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _head(made: ShippedSet) -> str:
    height, width, _ = made.input_shape
    low, high = made.input_range
    what = _wrapped(
        f"{model_named(made.network).summary}. It is a reconstruction of what the paper describes:",
        "neither its authors' code nor their weights ([networks](../networks.md)).",
    )
    use = _wrapped(
        f"`images` are RGB, {height}x{width} px, of 0 to 255; `preprocess_input` makes {low:g} to",
        f"{high:g} of them. The outputs are {', '.join(made.class_names)}.",
        "`classifier_activation=None` gives logits. Without the top (`include_top=False`) the",
        "network gives features, for images of any size that it takes.",
    )
    return f"""# {made.network}, trained on {made.data}

{what}

```python
import keras_lwcnn

model = keras_lwcnn.build("{made.network}", weights="{made.data}")
probabilities = model.predict(keras_lwcnn.preprocess_input(images))
```

{use}

This page is written by `benchmarks/ship_weights.py`.
"""


def _accuracy(made: ShippedSet) -> str:
    lines = [
        [
            mode.mode,
            f"{mode.top1:.2%}",
            f"{mode.low:.2%} to {mode.high:.2%}",
            f"{mode.drop:.2f}",
            f"{mode.agreement:.2%}",
            f"{mode.size:,}",
            f"{mode.gzip_size:,}",
        ]
        for mode in made.measured
    ]
    header = ["file", "top-1", "95 % interval", "drop, points", "agrees with float32", "bytes",
              "gzip bytes"]  # fmt: skip
    how = _wrapped(
        f"On {made.measured[0].images:,} test images, the files as `lwcnn convert` writes them;",
        "int8 is calibrated on training images. The intervals are Wilson's.",
    )
    return f"""## Accuracy

{how}

{markdown_table(header, lines)}
```sh
lwcnn weights check {made.network} --data {made.data}   # measures both again
```
"""


def _cost(made: ShippedSet, instructions: Instructions) -> str:
    counted = _wrapped(
        f"{made.costs['parameters']:,} parameters ({made.costs['trainable_parameters']:,} without",
        f"the statistics of normalizations) and {made.costs['macs']:,} multiply-accumulates an",
        "image, pruned weights not counted.",
    )
    text = f"## Cost\n\n{counted}\n"
    if not instructions:
        return text
    modes = [mode.mode for mode in made.measured]
    lines = [
        [core, *(f"{count / 1e6:.2f}" if count else "-" for count in counts)]
        for core in sorted({core for _, core in instructions})
        for counts in [[instructions.get((mode, core)) for mode in modes]]
    ]
    return f"""{text}
Million AArch64 instructions an image, counted for this architecture on emulated cores; they are no
times ([benchmarking](../benchmarking.md)):

{markdown_table(["core", *modes], lines)}"""


def _training(made: ShippedSet) -> str:
    facts = made.training
    recipe = Recipe.from_dict(facts["recipe"])
    images = facts["dataset"]["images"]
    settings = [[f"`{name}`", str(value) or "none"] for name, value in recipe.to_dict().items()]
    versions = ", ".join(f"{name} {value}" for name, value in facts["versions"].items())
    told = _wrapped(
        f"{images['train']:,} training images, {images['val']:,} validation images,",
        f"{images['test']:,} test images; seed {recipe.seed}. The network reached",
        f"{facts['val']['top1']:.2%} on the validation images. {_length(made, recipe)}",
    )
    return f"""## Training

{told}

```sh
{train_command(made, recipe)}
```

{markdown_table(["setting", "value"], settings)}
Finished {facts["date"]} with {versions}.
"""


def _length(made: ShippedSet, recipe: Recipe) -> str:
    full = RECIPES.get(f"{made.network}/{made.data}/ours")
    if full is None or recipe.epochs >= full.recipe.epochs:
        return f"It was trained for {recipe.epochs} epochs."
    share = recipe.epochs / full.recipe.epochs
    return (
        f"It was trained for {recipe.epochs} epochs, {share:.0%} of the {full.recipe.epochs} of a "
        f"full training (`{full.id}` in `lwcnn recipes`), which was not measured."
    )


def train_command(made: ShippedSet, recipe: Recipe) -> str:
    """Return the `lwcnn train` command that repeats a training: a named recipe where one is near.

    What differs from the recipe is given by options.
    """
    named = {
        f" --recipe {each.name}": each.recipe
        for each in RECIPES.values()
        if (each.network, each.data) == (made.network, made.data)
    }
    differences = {
        option: [
            field.name
            for field in fields(Recipe)
            if getattr(base, field.name) != getattr(recipe, field.name)
        ]
        for option, base in {"": Recipe(), **named}.items()
    }
    option = min(differences, key=lambda each: len(differences[each]))
    settings = "".join(
        f" --{name.replace('_', '-')} {getattr(recipe, name)}" for name in differences[option]
    )
    return f"lwcnn train {made.network} --data {made.data} --out runs/{made.id}{option}{settings}"


def _limits(made: ShippedSet) -> str:
    images = made.measured[0].images
    published = PUBLISHED_TEST_IMAGES.get(made.data, images)
    fewer = (
        f"{made.data} as published has {published:,} test images, the copy used here {images:,}: "
        "figures of published tables are of other images."
    )
    items = (
        f"It tells {len(made.class_names)} classes apart in images of {made.input_shape[0]} px, "
        "and names one of them whatever it is shown.",
        "Its probabilities are not calibrated: they do not tell how often it is right.",
        "One training with one seed: another seed gives another figure. The intervals are of the "
        "test images alone.",
        "The test images were used once for this network, after its training, for the table above. "
        + (fewer if published != images else ""),
        f"{made.data} has terms of its own, which this project neither states nor grants.",
    )
    return "## Limits\n\n" + "".join(f"{_wrapped(text, item=True)}\n" for text in items)
