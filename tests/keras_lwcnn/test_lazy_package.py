"""What importing the package brings in, and what it registers with Keras."""

import os
import subprocess
import sys

import pytest

import keras_lwcnn
from keras_lwcnn.losses import ClassBalancedFocalLoss
from keras_lwcnn.optimizers import KernelMuon


def run(code, **environment):
    subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=300, env={**os.environ, **environment}
    )


def test_data_does_without_keras():
    run(
        "import sys, keras_lwcnn.data, keras_lwcnn.files\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)",
        KERAS_LWCNN_WITHOUT_KERAS="1",
    )


def test_files_compiled_with_our_loss_and_optimizer_open_after_importing_the_package(tmp_path):
    path = tmp_path / "model.keras"
    model = keras_lwcnn.LMobileNet(input_shape=(32, 32, 3))
    model.compile(optimizer=KernelMuon(0.05), loss=ClassBalancedFocalLoss([5] * 10))
    model.save(path)
    run(
        "import keras_lwcnn, keras\n"
        f"model = keras.saving.load_model({str(path)!r})\n"
        "assert model.loss.samples_per_class == [5] * 10\n"
        "assert type(model.optimizer).__name__ == 'KernelMuon'"
    )


def test_with_another_backend_nothing_brings_tensorflow_in():
    pytest.importorskip("jax")
    run(
        "import sys, keras_lwcnn\n"
        "for name in keras_lwcnn.__all__: getattr(keras_lwcnn, name)\n"
        "keras_lwcnn.CondenseNeXt(stages=(1,), growth_rates=(8,))\n"
        "assert 'tensorflow' not in sys.modules",
        KERAS_BACKEND="jax",
    )


def test_every_public_name_can_be_had():
    for name in keras_lwcnn.__all__:
        assert getattr(keras_lwcnn, name) is not None
        assert name in dir(keras_lwcnn)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'nothing'"):
        keras_lwcnn.nothing  # noqa: B018
