"""Losses that Keras does not have."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lwcnn")
class ClassBalancedFocalLoss(keras.losses.Loss):
    """Focal loss in which each class weighs by its effective number of samples.

    For an image of class y with probabilities p: w_y * (1 - p_y)^gamma * -log(p_y), where
    w_y = (1 - beta) / (1 - beta^n_y) and n_y is the number of training images of the class.

    Source: Cui, Jia, Lin, Song, Belongie, "Class-Balanced Loss Based on Effective Number of
    Samples", CVPR 2019, in its softmax form.

    Args:
        samples_per_class: training images of each class, all at least 1.
        beta: in [0, 1); 0 weighs all classes alike.
        gamma: 0 or more; 0 is cross-entropy.
        from_logits: whether predictions are logits rather than probabilities.
        reduction: as for every Keras loss.
        name: name of the loss.

    Raises:
        ValueError: a value outside of its range.
    """

    def __init__(
        self,
        samples_per_class: Sequence[int],
        beta: float = 0.9999,
        gamma: float = 2.0,
        from_logits: bool = False,
        reduction: str = "sum_over_batch_size",
        name: str = "class_balanced_focal_loss",
    ) -> None:
        super().__init__(reduction=reduction, name=name)
        self.samples_per_class = [int(count) for count in samples_per_class]
        if not self.samples_per_class or min(self.samples_per_class) < 1:
            raise ValueError(
                f"samples_per_class={self.samples_per_class} has a class without images; "
                "at least 1 of each class is needed."
            )
        if not 0 <= beta < 1:
            raise ValueError(f"beta={beta} is out of range; allowed is [0, 1).")
        if gamma < 0:
            raise ValueError(f"gamma={gamma} is negative; at least 0 is allowed.")
        self.beta = beta
        self.gamma = gamma
        self.from_logits = from_logits

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each image.

        Args:
            y_true: class numbers, (batch,) or (batch, 1).
            y_pred: logits or probabilities, (batch, classes).
        """
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        log_p = (
            ops.log_softmax(y_pred, axis=-1)
            if self.from_logits
            else ops.log(ops.clip(y_pred, keras.config.epsilon(), 1.0))
        )
        chosen = ops.one_hot(y_true, len(self.samples_per_class), dtype=log_p.dtype)
        log_p = ops.sum(log_p * chosen, axis=-1)
        weights = [(1 - self.beta) / (1 - self.beta**count) for count in self.samples_per_class]
        weight = ops.sum(chosen * ops.convert_to_tensor(weights, dtype=log_p.dtype), axis=-1)
        return -weight * (1.0 - ops.exp(log_p)) ** self.gamma * log_p

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "samples_per_class": self.samples_per_class,
            "beta": self.beta,
            "gamma": self.gamma,
            "from_logits": self.from_logits,
        }
