"""Recipes by network and data set: those that papers publish, beside ours."""

from dataclasses import dataclass, replace
from typing import Any

from keras_lwcnn.training.recipe import Recipe


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe and what it is for.

    Attributes:
        network: name in `keras_lwcnn.models.MODELS`.
        data: name of the data set.
        name: `published`, `ours` (a full training, for a GPU), `short` (about an hour on one CPU
            core or two), `adamw` (a full training without Muon) or `baseline`.
        recipe: the settings.
        source: where they are from, and what of it is not ours to repeat.
    """

    network: str
    data: str
    name: str
    recipe: Recipe
    source: str

    @property
    def id(self) -> str:
        """NETWORK/DATA/NAME."""
        return f"{self.network}/{self.data}/{self.name}"

    def to_dict(self) -> dict[str, Any]:
        """Return recipe and origin as a row of kind `recipe`."""
        return {"kind": "recipe", "id": self.id, "source": self.source} | self.recipe.to_dict()


_BASELINE = Recipe(
    epochs=200,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.1,
    warmup=0.0,
    weight_decay=5e-3,
    augmentation="shift_flip",
)
_BASELINE_SOURCE = (
    "What CIFAR trainings of MobileNetV2 and ShuffleNetV2 commonly use (SGD, weight decay 5e-4 in "
    "the gradient); the settings of the L-Mobilenet paper could not be had"
)
_ADAMW_32 = Recipe(
    epochs=200,
    batch_size=128,
    weight_decay=0.05,
    augmentation="shift_flip",
    label_smoothing=0.1,
    ema=0.999,
    settle_batches=100,
    precision="mixed_bfloat16",
)
_ADAMW_SOURCE = "Our design before Muon, by which rows of trainings with AdamW were made"
_SHORT_ADAMW_32 = Recipe(epochs=24, weight_decay=0.05, augmentation="shift_flip")
_SHORT_32 = Recipe(
    epochs=20,
    batch_size=128,
    optimizer="muon",
    learning_rate=0.05,
    weight_decay=0.01,
    augmentation="shift_flip",
    label_smoothing=0.1,
    settle_batches=100,
)
# Four times the batch: twice the rates, and as much weight decay per epoch.
_OURS_32 = replace(
    _SHORT_32,
    epochs=200,
    batch_size=512,
    learning_rate=0.1,
    weight_decay=0.02,
    adam_learning_rate=6e-3,
    precision="mixed_bfloat16",
)
_CONDENSENET = Recipe(
    epochs=300,
    batch_size=64,
    optimizer="sgd",
    learning_rate=0.1,
    warmup=0.0,
    weight_decay=1e-3,
    augmentation="shift_flip",
)
_CONDENSENEXTS = ("condensenext", "condensenext_tiny", "condensenext_large")
_CONDENSENET_SOURCE = "CondenseNet, CVPR 2018 (weight decay 1e-4 in the gradient)"
_CONDENSENEXT_SOURCE = (
    "CondenseNet, CVPR 2018, whose method CondenseNeXt takes; the loss is the one that the "
    "CondenseNeXt papers name, which their code does not apply"
)
_XCEPTION_LITE = Recipe(
    epochs=60,
    batch_size=16,
    optimizer="adam",
    learning_rate=1e-3,
    schedule="constant",
    warmup=0.0,
    weight_decay=0.0,
    augmentation="rotate_shift_flip_contrast",
)
_XCEPTION_LITE_SOURCE = "Xception-Lite, Canadian AI 2024; at 224 px, the last epoch is tested"
_OURS_LARGE = Recipe(
    epochs=60,
    batch_size=32,
    learning_rate=1e-3,
    weight_decay=0.05,
    augmentation="rotate_shift_flip_contrast",
    label_smoothing=0.1,
    ema=0.999,
    settle_batches=100,
    precision="mixed_bfloat16",
)
_OURS = "Our design"


def _recipes() -> list[NamedRecipe]:
    recipes = []
    for data in ("cifar10", "cifar100"):
        for network in ("l_mobilenet", "mobilenet_v2", "shufflenet_v2"):
            recipes += [
                NamedRecipe(network, data, "ours", _OURS_32, _OURS),
                NamedRecipe(network, data, "short", _SHORT_32, _OURS),
                NamedRecipe(network, data, "adamw", _ADAMW_32, _ADAMW_SOURCE),
                NamedRecipe(network, data, "baseline", _BASELINE, _BASELINE_SOURCE),
            ]
        recipes.append(
            NamedRecipe("condensenet", data, "published", _CONDENSENET, _CONDENSENET_SOURCE)
        )
        for network in _CONDENSENEXTS:
            published = replace(_CONDENSENET, loss="class_balanced_focal")
            recipes.append(NamedRecipe(network, data, "published", published, _CONDENSENEXT_SOURCE))
        for network in ("condensenet", *_CONDENSENEXTS):
            # Condensed networks are small: they underfit, and less weight decay suits them. Muon
            # evens out the weights by whose size inputs are pruned.
            ours = replace(_ADAMW_32, weight_decay=0.01, label_smoothing=0.0)
            short = replace(_SHORT_ADAMW_32, epochs=12, weight_decay=0.01)
            recipes += [
                NamedRecipe(network, data, "ours", ours, _OURS),
                NamedRecipe(network, data, "short", short, _OURS),
            ]
    for network in ("xception_lite", "xception", "keras_mobilenet_v2", "efficientnet_v2_b1"):
        for data, augmentation in (
            ("caltech101", "rotate_shift_flip_contrast"),
            ("deeppcb96", "none"),
        ):
            published = replace(_XCEPTION_LITE, augmentation=augmentation)
            recipes.append(
                NamedRecipe(network, data, "published", published, _XCEPTION_LITE_SOURCE)
            )
            ours = replace(
                _OURS_LARGE, augmentation="shift_flip" if augmentation == "none" else augmentation
            )
            recipes.append(NamedRecipe(network, data, "ours", ours, _OURS))
    return recipes


RECIPES: dict[str, NamedRecipe] = {recipe.id: recipe for recipe in _recipes()}


def recipe_named(name: str, network: str, data: str) -> NamedRecipe:
    """Return a recipe by name.

    Args:
        name: NAME of the network's and data set's recipe, or NETWORK/DATA/NAME to take one that
            was made for others.
        network: name of the network to train.
        data: name of the data set.

    Raises:
        ValueError: there is no such recipe; the message names those that there are.
    """
    if name in RECIPES:
        return RECIPES[name]
    wanted = f"{network}/{data}/{name}"
    if wanted in RECIPES:
        return RECIPES[wanted]
    near = [key for key in RECIPES if key.startswith(f"{network}/")]
    raise ValueError(
        f"no recipe {name if '/' in name else wanted!r}; there are "
        + (", ".join(near) if near else ", ".join(RECIPES))
    )
