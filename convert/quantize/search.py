"""Trying ways to quantize on images held out for it, and keeping what helps."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from convert.options import STOCK, QuantizationOptions
from convert.quantize.equalization import can_equalize
from convert.quantize.preparation import Preparation
from convert.quantize.quantization import prepared_int8
from convert.quiet import quiet
from convert.tflite import metrics
from convert.tflite.evaluation import predict

CANDIDATES: tuple[QuantizationOptions, ...] = (
    STOCK,
    QuantizationOptions(correct_bias=True),
    QuantizationOptions(round_weights=True),
    QuantizationOptions(round_weights=True, ranges="mse"),
    QuantizationOptions(round_weights=True, ranges="percentile", percentile=99.999),
    QuantizationOptions(round_weights=True, equalize=True),
    QuantizationOptions(round_weights=True, equalize=True, ranges="mse"),
    QuantizationOptions(round_weights=True, equalize=True, ranges="percentile", percentile=99.999),
    QuantizationOptions(round_weights=True, equalize=True, ranges="percentile"),
)


@dataclass(frozen=True)
class Trial:
    """One way of quantizing, judged on the validation images.

    Attributes:
        options: what was tried.
        divergence: mean KL divergence from the float file's class probabilities, in nats.
        agreement: share of images with the float file's class.
        drop: top-1 lost, in percentage points; None without labels.
    """

    options: QuantizationOptions
    divergence: float
    agreement: float
    drop: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return dict(asdict(self), options=self.options.to_dict())

    def loss(self) -> float:
        """Return what `max_drop` bounds: top-1 lost, or disagreement without labels, in points."""
        return self.drop if self.drop is not None else 100 * (1 - self.agreement)


@dataclass(frozen=True)
class Search:
    """All trials, and the one that is kept."""

    best: Trial
    trials: tuple[Trial, ...] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the search as a dictionary that JSON can hold."""
        return {
            "best": self.best.to_dict(),
            "trials": [trial.to_dict() for trial in self.trials],
        }


class Judge:
    """Quantizes a float file in one way or another and measures the damage."""

    def __init__(
        self,
        content: bytes,
        calibration: np.ndarray,
        validation: np.ndarray,
        labels: np.ndarray | None = None,
    ) -> None:
        """Run the float file over the validation images.

        Args:
            content: a float32 flatbuffer, best with logits as output.
            calibration: float32 images (count, height, width, channels) to calibrate on.
            validation: images to judge by, neither among the calibration nor the test images.
            labels: class indices of the validation images.
        """
        self.candidates = [
            options for options in CANDIDATES if not options.equalize or can_equalize(content)
        ]
        self._prepare = Preparation(content, calibration)
        self._validation, self._labels = validation, labels
        self._reference = self._scores(content)

    def _scores(self, content: bytes) -> np.ndarray:
        return metrics.class_scores(predict(content, self._validation))

    def __call__(self, options: QuantizationOptions) -> Trial:
        """Quantize with these options and judge the result."""
        with quiet():
            content = prepared_int8(self._prepare(options), "float32", options.keep_float)
        scores, drop = self._scores(content), None
        if self._labels is not None:
            before = metrics.top_k(self._reference, self._labels)
            drop = 100 * (before - metrics.top_k(scores, self._labels))
        return Trial(
            options,
            metrics.divergence(scores, self._reference),
            metrics.agreement(scores, self._reference),
            drop,
        )


def search(
    judge: Judge,
    layers: list[str],
    *,
    max_drop: float | None = None,
    progress: Callable[[str], Any] = lambda step: None,
) -> Search:
    """Try the candidates, keep the least divergence, then leave layers in float as needed.

    Without `max_drop` all layers are int8. With it, each layer is tried alone in float, which shows
    how much of the loss is its own. Those with the largest share then stay in float: 1, 2, 4 ... of
    them until the loss on the validation images is at most `max_drop`, and then the fewest of them
    that keep to it.

    Args:
        judge: quantizes and measures.
        layers: names of the op output tensors that may stay in float.
        max_drop: the loss allowed in percentage points: of top-1, or of agreement with float when
            the judge has no labels.
        progress: called with a line for each trial.

    Raises:
        ValueError: `max_drop` is below zero, or no mixture of int8 and float meets it.
    """
    if max_drop is not None and not max_drop >= 0:
        raise ValueError(
            f"max_drop={max_drop!r} is no loss; allowed are 0 and more percentage points"
        )
    trials = []
    for index, options in enumerate(judge.candidates):
        progress(f"quantizing, way {index + 1} of {len(judge.candidates)}")
        trials.append(judge(options))
    best = min(trials, key=lambda trial: trial.divergence)
    if max_drop is None or best.loss() <= max_drop:
        return Search(best, tuple(trials))
    worth = {}
    for index, layer in enumerate(layers):
        progress(f"measuring layer {index + 1} of {len(layers)}")
        alone = judge(replace(best.options, keep_float=(layer,)))
        trials.append(alone)
        worth[layer] = best.divergence - alone.divergence
    ranked = sorted(worth, key=worth.get, reverse=True)

    def with_float(count: int) -> Trial:
        progress(f"leaving {count} of {len(layers)} layers in float")
        trials.append(judge(replace(best.options, keep_float=tuple(ranked[:count]))))
        return trials[-1]

    mixture = _fewest(with_float, len(ranked), max_drop)
    if mixture is None:
        raise ValueError(
            f"no mixture of int8 and float loses at most max_drop={max_drop:g} points on the "
            f"validation images; the best lost {min(trial.loss() for trial in trials):.3g}. "
            "Allow more, or use mode float16"
        )
    return Search(mixture, tuple(trials))


def _fewest(with_float: Callable[[int], Trial], layers: int, bound: float) -> Trial | None:
    """Double the number of float layers until the bound holds, then halve the last step."""
    failed, count = 0, 1
    while (trial := with_float(min(count, layers))).loss() > bound:
        if count >= layers:
            return None
        failed, count = count, 2 * count
    good = min(count, layers)
    while good - failed > 1:
        middle = (good + failed) // 2
        tried = with_float(middle)
        if tried.loss() <= bound:
            good, trial = middle, tried
        else:
            failed = middle
    return trial
