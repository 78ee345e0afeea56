"""Importing the package is cheap, and opens no door to TensorFlow."""

import os
import subprocess
import sys

import pytest

import keras_lwcnn


def run(code, **environment):
    subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=300, env={**os.environ, **environment}
    )


def test_importing_the_package_imports_no_framework():
    run(
        "import sys, keras_lwcnn; dir(keras_lwcnn)\n"
        "assert not {'keras', 'tensorflow', 'numpy'} & set(sys.modules)"
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
