"""The page of a shipped set of weights, as Markdown from its entry in the index and stored rows."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from benchmarks.pages import markdown_table, wrapped
from benchmarks.stored import RESULTS
from keras_lwcnn.models import model_named
from keras_lwcnn.training import RECIPES, Recipe
from keras_lwcnn.weights import ShippedSet
from lwcnn.rows import read_rows

PUBLISHED_TEST_IMAGES = {"cifar10": 10_000, "cifar100": 10_000}
CLASSES_OF_COUNTED = 10

# (mode, core) -> AArch64 instructions of one inference.
Instructions = Mapping[tuple[str, str], int]


def read_instructions(weights: ShippedSet, results: Path = RESULTS) -> dict[tuple[str, str], int]:
    """Return the stored counts of a set's architecture, which do not depend on its weights."""
    if len(weights.class_names) != CLASSES_OF_COUNTED:
        return {}
    size = weights.input_shape[0]
    sources = [("instructions.rows.jsonl", f"{weights.network}@{size}")]
    if weights.data == "cifar10":
        sources.append(("trained_networks.jsonl", weights.network))
    counts: dict[tuple[str, str], int] = {}
    for name, model in sources:
        path = results / name
        for row in read_rows(path, "bench") if path.is_file() else []:
            if row["model"] == f"{model}.{row['mode']}.tflite" and row["instructions"]:
                core = row["device"].removeprefix("emulated:")
                counts.setdefault((row["mode"], core), row["instructions"])
    return counts


def page_of(weights: ShippedSet, instructions: Instructions) -> str:
    """Return the page of a set."""
    sections = (
        _head(weights),
        _accuracy(weights),
        _cost(weights, instructions),
        _training(weights),
        _limits(weights),
    )
    return "\n".join(sections)


def _head(weights: ShippedSet) -> str:
    height, width, _ = weights.input_shape
    low, high = weights.input_range
    what = wrapped(
        f"{model_named(weights.network).summary}. The network is a reconstruction of what the "
        "paper describes; it uses neither its authors' code nor their weights "
        "([networks](../networks.md))."
    )
    use = wrapped(
        f"`images` are RGB, {height}x{width} px, with values of 0 to 255; `preprocess_input` "
        f"scales them to {low:g} to {high:g}. The outputs are {', '.join(weights.class_names)}. "
        "With `classifier_activation=None` they are logits. Without the top (`include_top=False`) "
        "the network returns features, for images of any size that it takes."
    )
    return f"""# {weights.network}, trained on {weights.data}

{what}

```python
import keras_lwcnn

model = keras_lwcnn.build("{weights.network}", weights="{weights.data}")
probabilities = model.predict(keras_lwcnn.preprocess_input(images))
```

{use}

This page is written by `benchmarks/ship_weights.py`.
"""


def _accuracy(weights: ShippedSet) -> str:
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
        for mode in weights.measured
    ]
    header = ["file", "top-1", "95 % interval", "drop, points", "agrees with float32", "bytes",
              "gzip bytes"]  # fmt: skip
    how = wrapped(
        f"On {weights.measured[0].images:,} test images, with the files as `lwcnn convert` writes "
        "them; int8 is calibrated on training images. The intervals are Wilson's."
    )
    return f"""## Accuracy

{how}

{markdown_table(header, lines)}
```sh
lwcnn weights check {weights.network} --data {weights.data}   # measures both again
```
"""


def _cost(weights: ShippedSet, instructions: Instructions) -> str:
    costs = weights.costs
    counted = wrapped(
        f"{costs['parameters']:,} parameters ({costs['trainable_parameters']:,} without the "
        f"statistics of normalizations) and {costs['macs']:,} multiply-accumulates per image, "
        "pruned weights not counted."
    )
    text = f"## Cost\n\n{counted}\n"
    if not instructions:
        return text
    modes = [mode.mode for mode in weights.measured]
    lines = [
        [core, *(f"{count / 1e6:.2f}" if count else "-" for count in counts)]
        for core in sorted({core for _, core in instructions})
        for counts in [[instructions.get((mode, core)) for mode in modes]]
    ]
    return f"""{text}
Million AArch64 instructions per image, counted for this architecture on emulated cores; they are no
times ([benchmarking](../benchmarking.md)):

{markdown_table(["core", *modes], lines)}"""


def _training(weights: ShippedSet) -> str:
    facts = weights.training
    recipe = Recipe.from_dict(facts["recipe"])
    images = facts["dataset"]["images"]
    settings = [[f"`{name}`", str(value) or "none"] for name, value in recipe.to_dict().items()]
    versions = ", ".join(f"{name} {value}" for name, value in facts["versions"].items())
    facts_in_words = wrapped(
        f"{images['train']:,} training images, {images['val']:,} validation images, "
        f"{images['test']:,} test images; seed {recipe.seed}. The network reached "
        f"{facts['val']['top1']:.2%} on the validation images. {_length(weights, recipe)}"
    )
    return f"""## Training

{facts_in_words}

```sh
{train_command(weights, recipe)}
```

{markdown_table(["setting", "value"], settings)}
Finished {facts["date"]} with {versions}.
"""


def _length(weights: ShippedSet, recipe: Recipe) -> str:
    full = RECIPES.get(f"{weights.network}/{weights.data}/ours")
    if full is None or recipe.epochs >= full.recipe.epochs:
        return f"It was trained for {recipe.epochs} epochs."
    share = recipe.epochs / full.recipe.epochs
    return (
        f"It was trained for {recipe.epochs} epochs, {share:.0%} of the {full.recipe.epochs} of a "
        f"full training (`{full.id}` in `lwcnn recipes`). A full one was not measured."
    )


def train_command(weights: ShippedSet, recipe: Recipe) -> str:
    """Return the `lwcnn train` command that repeats a training.

    It names the recipe that differs least from the training's, and sets the rest by options.
    """
    named = {
        f" --recipe {each.name}": each.recipe
        for each in RECIPES.values()
        if (each.network, each.data) == (weights.network, weights.data)
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
    command = f"lwcnn train {weights.network} --data {weights.data} --out runs/{weights.id}"
    return command + option + settings


def _limits(weights: ShippedSet) -> str:
    images = weights.measured[0].images
    published = PUBLISHED_TEST_IMAGES.get(weights.data, images)
    fewer = (
        f"{weights.data} as published has {published:,} test images, the copy used here "
        f"{images:,}: published accuracies are of other images."
    )
    items = (
        f"It distinguishes {len(weights.class_names)} classes in images of "
        f"{weights.input_shape[0]} px, and names one of them for any image.",
        "Its probabilities are not calibrated: they do not say how often it is right.",
        "It was trained once, with one seed: another seed gives other accuracies. The intervals "
        "cover the choice of test images alone.",
        "The test images were used once for this network, after its training, for the table above. "
        + (fewer if published != images else ""),
        f"{weights.data} has terms of its own, which this project neither states nor grants.",
    )
    return "## Limits\n\n" + "".join(f"{wrapped(text, '- ')}\n" for text in items)
