"""Pure functions over class scores: arrays in, numbers out."""

import numpy as np


def class_scores(outputs: np.ndarray, *, squashed: bool | None = None) -> np.ndarray:
    """Return one score per class, for one-unit outputs too.

    Args:
        outputs: (count, classes), or (count, 1) for two classes in one unit.
        squashed: whether one-unit outputs are sigmoids; None looks at their range.

    Returns:
        (count, classes), or (count, 2) for one unit.
    """
    outputs = np.asarray(outputs, np.float32).reshape(len(outputs), -1)
    if outputs.shape[1] > 1:
        return outputs
    if squashed is None:
        squashed = bool(outputs.min() >= 0 and outputs.max() <= 1)
    other = 1 - outputs if squashed else np.zeros_like(outputs)
    return np.concatenate([other, outputs], axis=1)


def hits(scores: np.ndarray, labels: np.ndarray, k: int = 1) -> np.ndarray:
    """Tell for each image whether its label is among the k best scores, as (count,) bool.

    Of equal scores the lower class index comes first.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return (best == np.asarray(labels).reshape(-1, 1)).any(axis=1)


def top_k(scores: np.ndarray, labels: np.ndarray, k: int = 1) -> float:
    """Return the share of images whose label is among the k best scores, 0 to 1."""
    return float(hits(scores, labels, k).mean())


def agreement(scores: np.ndarray, reference: np.ndarray) -> float:
    """Return the share of images on which both name the same class, 0 to 1."""
    return float((scores.argmax(axis=1) == reference.argmax(axis=1)).mean())


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities (count, classes) of logits."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def probabilities(scores: np.ndarray, *, squashed: bool) -> np.ndarray:
    """Return probabilities (count, classes) of scores, which are returned where they are squashed.

    Args:
        scores: (count, classes).
        squashed: whether scores are probabilities already.
    """
    return scores if squashed else softmax(scores)


def are_probabilities(scores: np.ndarray) -> bool:
    """Tell whether scores (count, classes) are probabilities: positive, with sums near 1."""
    return bool(scores.min() >= 0 and np.allclose(scores.sum(axis=1), 1, atol=0.01))


def divergence(scores: np.ndarray, reference: np.ndarray) -> float:
    """Return the mean Kullback-Leibler divergence (nats) of softmax(scores) from the reference's.

    A finer measure than agreement: every image counts, not those alone whose class changes.
    """
    expected, actual = softmax(reference.astype(np.float64)), softmax(scores.astype(np.float64))
    ratio = np.log(np.maximum(expected, 1e-12)) - np.log(np.maximum(actual, 1e-12))
    return float((expected * ratio).sum(axis=1).mean())
