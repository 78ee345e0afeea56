"""Condensation inside `model.fit`: its schedule, and what survives interruptions."""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_lwcnn.condensation import (
    Condensation,
    CondensationSchedule,
    condensable_layers,
    is_condensed,
)
from keras_lwcnn.models import CondenseNeXt, LMobileNet

IMAGES, BATCH = 24, 4
STEPS = IMAGES // BATCH


def tiny(**arguments):
    keras.utils.set_random_seed(0)
    model = CondenseNeXt(
        stages=(2, 1),
        growth_rates=(8, 8),
        condensation_factor=4,
        input_shape=(8, 8, 3),
        classifier_activation=None,
        **arguments,
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def data():
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (IMAGES, 8, 8, 3)).astype("float32"), rng.integers(0, 10, IMAGES)


def fit(model, schedule, epochs, *more, **arguments):
    model.fit(
        *data(),
        epochs=epochs,
        batch_size=BATCH,
        shuffle=False,
        verbose=0,
        callbacks=[Condensation(schedule), *more],
        **arguments,
    )


def stages(model):
    return [layer.stage for layer in condensable_layers(model)]


class StageLog(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.stages = []

    def on_train_batch_end(self, batch, logs=None):
        self.stages.append(stages(self.model)[0])


def test_stages_follow_the_published_formula():
    schedule = CondensationSchedule(total=300)
    for progress in np.linspace(0, 0.999, 400):
        for factor in (1, 4, 8):
            expected = min(factor - 1, int(np.floor(2 * progress * (factor - 1) + 1e-9)))
            assert schedule.stage(progress, factor) == expected


@pytest.mark.parametrize(
    "schedule", [CondensationSchedule(2), CondensationSchedule(2 * STEPS, unit="steps")]
)
def test_pruning_happens_in_the_first_half_of_training_within_epochs(schedule):
    model = tiny()
    log = StageLog()
    fit(model, schedule, 2, log)
    expected = [min(3, int(2 * step / (2 * STEPS) * 3)) for step in range(2 * STEPS)]
    assert log.stages == expected
    assert is_condensed(model)
    for layer in condensable_layers(model):
        assert (layer.active_inputs.sum(axis=0) == layer.kernel.shape[2] // 4).all()
    assert model.get_layer("predictions").active_inputs.mean() == 0.5


@pytest.mark.parametrize("step", [3, 8], ids=["first_epoch", "second_epoch"])
def test_a_training_resumed_at_any_step_ends_as_an_unbroken_one(tmp_path, step):
    class StopAfter(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations) == step:
                if hasattr(self.model, "jax_state_sync"):
                    self.model.jax_state_sync()
                self.model.save(tmp_path / "interrupted.keras")
                self.model.stop_training = True

    schedule = CondensationSchedule(2 * STEPS, unit="steps")
    whole = tiny()
    x, y = data()
    fit(whole, schedule, 2)

    fit(tiny(), schedule, 2, StopAfter())
    resumed = keras.saving.load_model(tmp_path / "interrupted.keras")
    assert 0 < stages(resumed)[0] < 3 or step > STEPS
    rest = slice(step % STEPS * BATCH, None)
    for part in (rest, slice(None))[: 2 - step // STEPS]:
        resumed.fit(
            x[part],
            y[part],
            batch_size=BATCH,
            shuffle=False,
            verbose=0,
            callbacks=[Condensation(schedule)],
        )
    assert is_condensed(resumed)
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_resuming_from_another_schedule_is_refused():
    model = tiny()
    fit(model, CondensationSchedule(6), 1)
    assert not is_condensed(model)
    with pytest.raises(ValueError, match=r"total=8.*stage \d.*total=6.*Use"):
        fit(model, CondensationSchedule(8), 2, initial_epoch=1)
    fit(model, CondensationSchedule(6), 6, initial_epoch=2)
    assert is_condensed(model)


def test_a_condensed_model_is_trained_on_under_any_schedule():
    model = tiny()
    fit(model, CondensationSchedule(1), 1)
    masks = [layer.active_inputs for layer in condensable_layers(model)]
    fit(model, CondensationSchedule(5), 1)
    for before, layer in zip(masks, condensable_layers(model), strict=True):
        np.testing.assert_array_equal(before, layer.active_inputs)


def test_the_group_lasso_counts_until_the_last_pruning():
    model = tiny()
    layer = condensable_layers(model)[0]
    kernel = np.asarray(layer.get_weights()[0])[0, 0].astype("float64")
    norm = sum(
        np.sqrt(np.maximum(1e-6, (kernel[:, group :: layer.groups] ** 2).sum(axis=1))).sum()
        for group in range(layer.groups)
    )
    layer.lasso.assign(0.5)
    layer(np.zeros((1, 8, 8, kernel.shape[0]), "float32"), training=True)
    assert float(layer.losses[0]) == pytest.approx(0.5 * norm, rel=1e-5)

    class LassoLog(keras.callbacks.Callback):
        weights = []

        def on_epoch_end(self, epoch, logs=None):
            self.weights.append(float(condensable_layers(self.model)[0].lasso.numpy()))

    model = tiny()
    fit(model, CondensationSchedule(4, group_lasso=1e-3), 4, LassoLog())
    assert LassoLog.weights == pytest.approx([1e-3, 1e-3, 0.0, 0.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"total": 0}, "total=0.*at least 1"),
        ({"total": 3, "unit": "batches"}, "'batches'.*epochs, steps"),
        ({"total": 3, "pruning_share": 0.0}, r"pruning_share=0.0.*\(0, 1\]"),
        ({"total": 3, "group_lasso": -1.0}, "group_lasso=-1.0.*at least 0"),
    ],
)
def test_impossible_schedules_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        CondensationSchedule(**arguments)


def test_a_model_without_learned_groups_is_refused():
    model = LMobileNet(stages=((16, 1),), strides=(2, 2), input_shape=(8, 8, 3))
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="LearnedGroupConv2D"):
        fit(model, CondensationSchedule(1), 1)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_condensation_runs_and_resumes_on_other_backends(tmp_path, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    code = (
        "import runpy, sys, pathlib\n"
        "names = runpy.run_path(sys.argv[1])\n"
        "names['test_a_training_resumed_at_any_step_ends_as_an_unbroken_one']"
        "(pathlib.Path(sys.argv[2]), 3)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, __file__, str(tmp_path)],
        check=True,
        timeout=300,
        env={**os.environ, "KERAS_BACKEND": backend},
    )
