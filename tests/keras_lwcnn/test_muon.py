import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from small_training import StopAt, network, noise

from keras_lwcnn.condensation import condensable_layers
from keras_lwcnn.models import build
from keras_lwcnn.optimizers import KernelMuon
from keras_lwcnn.training import Recipe, train
from keras_lwcnn.training.optimization import optimizer_of

PROGRAM = Path(__file__).parent / "programs" / "muon_steps.py"


def small_network():
    return build(
        "l_mobilenet",
        stages=((16, 1), (24, 1)),
        strides=(2, 2, 1),
        classifier_activation=None,
        weights=None,
    )


def stepped(model, gradients, **settings):
    """Take one step of Muon, and return each variable's change by its path."""
    recipe = Recipe(optimizer="muon", schedule="constant", warmup=0.0, **settings)
    optimizer = optimizer_of(recipe, 1, model)
    variables = model.trainable_variables
    before = [np.array(v) for v in variables]
    optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
    return {v.path: np.array(v) - b for v, b in zip(variables, before, strict=True)}


def singular_values(kernel):
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)


@pytest.mark.parametrize("shape", [(1, 1, 16, 40), (1, 1, 40, 16), (3, 3, 4, 8), (12, 12)])
def test_the_update_of_a_kernel_is_an_orthogonal_matrix_times_the_rate(shape):
    kernel = keras.Variable(np.zeros(shape, "float32"), name="kernel")
    gradient = np.random.default_rng(0).normal(size=shape).astype("float32")
    KernelMuon(0.5, weight_decay=None).apply([keras.ops.convert_to_tensor(gradient)], [kernel])
    rows, outputs = int(np.prod(shape[:-1])), shape[-1]
    values = singular_values(np.array(kernel)) / (0.5 * max(1, outputs / rows) ** 0.5)
    # The five steps bring every singular value near 1, not exactly there.
    assert values.min() > 0.6 and values.max() < 1.3
    assert (np.array(kernel) * gradient).sum() < 0


def test_kernels_are_orthogonalized_and_all_else_is_left_to_adamw():
    model = small_network()
    optimizer = optimizer_of(Recipe(optimizer="muon"), 1, model)
    optimizer.build(model.trainable_variables)
    by_adamw = {
        v.path
        for v, velocity in zip(model.trainable_variables, optimizer.adam_velocities, strict=True)
        if velocity is not None
    }
    by_muon = {v.path for v in model.trainable_variables} - by_adamw
    assert by_muon == {
        "stem_conv/kernel",
        *(
            f"stage{stage}_block1_{part}_conv/kernel"
            for stage in (1, 2)
            for part in ("reuse", "expand", "project")
        ),
    }


def test_kernels_of_learned_groups_are_matrices_too():
    model = build("condensenext", stages=(1, 1), growth_rates=(8, 16), classifier_activation=None)
    optimizer = optimizer_of(Recipe(optimizer="muon"), 1, model)
    learned = condensable_layers(model)
    assert learned
    assert not set(optimizer.adamw_paths) & {layer.kernel.path for layer in learned}
    assert f"{model.layers[-1].name}/kernel" in optimizer.adamw_paths


def test_adamw_has_a_learning_rate_of_its_own():
    model = small_network()
    gradients = [np.ones(v.shape, "float32") for v in model.trainable_variables]
    changes = stepped(model, gradients, learning_rate=0.1, adam_learning_rate=0.002,
                      weight_decay=0.0, adam_weight_decay=0.0)  # fmt: skip
    # The first step of Adam is its rate, whatever the gradient.
    for path in ("stem_bn/gamma", "stage1_block1_spatial_conv/kernel", "predictions/kernel"):
        np.testing.assert_allclose(changes[path], -0.002, rtol=1e-4)
    assert np.linalg.norm(changes["stem_conv/kernel"]) > 0.05


def test_norms_biases_and_depthwise_kernels_are_not_decayed():
    model = small_network()
    draw = np.random.default_rng(0)
    model.set_weights([draw.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    before = {v.path: np.array(v) for v in model.trainable_variables}
    gradients = [np.zeros(v.shape, "float32") for v in model.trainable_variables]
    changes = stepped(model, gradients, learning_rate=0.1, weight_decay=0.2,
                      adam_learning_rate=0.01, adam_weight_decay=0.3)  # fmt: skip
    for path, change in changes.items():
        share = 0.0
        if path == "predictions/kernel":
            share = 0.01 * 0.3
        elif path.endswith("conv/kernel") and "spatial" not in path:
            share = 0.1 * 0.2
        np.testing.assert_allclose(change, -share * before[path], rtol=1e-3, atol=1e-6)


def test_a_run_that_was_stopped_resumes_with_the_state_of_muon(tmp_path):
    recipe = Recipe(epochs=3, batch_size=25, optimizer="muon", learning_rate=0.02)
    data = noise(100)
    whole = network()
    train(whole, data, recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(network(), data, recipe, tmp_path / "cut", callbacks=[StopAt(6)])
    resumed = network()
    train(resumed, data, recipe, tmp_path / "cut")
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_optimizer_is_saved_and_loaded_with_a_compiled_model(tmp_path):
    model = small_network()
    optimizer = optimizer_of(Recipe(optimizer="muon"), 10, model)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, "mse")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").optimizer
    assert loaded.get_config() == model.optimizer.get_config()
    assert "predictions/kernel" in loaded.adamw_paths


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_steps_are_equal_on_all_backends(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    weights = []
    for name in ("tensorflow", backend):
        file = tmp_path / f"{name}.npz"
        done = subprocess.run(
            [sys.executable, PROGRAM, file],
            env={**os.environ, "KERAS_BACKEND": name},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        with np.load(file) as stored:
            weights.append([stored[key] for key in stored])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "muon", "adam_learning_rate": 0.0}, "adam_learning_rate=0.0 .* above 0"),
        ({"optimizer": "muon", "adam_weight_decay": -1.0}, "adam_weight_decay=-1.0 .* at least 0"),
        ({"adam_learning_rate": 0.1}, "adam_learning_rate=0.1 goes with the optimizer muon; this "),
        ({"optimizer": "moon"}, "optimizer='moon' is unknown; allowed are adamw, adam, sgd, muon"),
    ],
)
def test_settings_of_muon_that_cannot_be_had_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**settings)
