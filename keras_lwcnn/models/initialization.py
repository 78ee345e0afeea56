"""Initial weights without a compilation for each shape of a kernel."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import keras
import numpy as np
from keras import ops


@contextmanager
def drawn_on_host() -> Iterator[None]:
    """Let NumPy draw initial weights on the JAX backend.

    JAX compiles a program for each shape that it draws, a tenth of a second each: half a minute for
    CondenseNeXt, which has hundreds of them. The weights have the distributions of the initializers
    and depend on the same seeds, but are other draws. Elsewhere, and in versions of Keras whose
    initializers draw from another place, nothing changes.
    """
    try:
        from keras.src.initializers import random_initializers as initializers
    except ImportError:
        initializers = None
    if keras.backend.backend() != "jax" or not hasattr(initializers, "random"):
        yield
        return
    with mock.patch.object(initializers, "random", _HostRandom(initializers.random)):
        yield


class _HostRandom:
    """Stands for the module of random functions that initializers use."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def normal(
        self, shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, dtype: Any = None,
        seed: Any = None,
    ) -> Any:  # fmt: skip
        if not isinstance(seed, int):
            return self._module.normal(shape, mean=mean, stddev=stddev, dtype=dtype, seed=seed)
        drawn = np.random.default_rng(seed).normal(mean, stddev, shape)
        return _tensor(drawn, dtype)

    def truncated_normal(
        self, shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, dtype: Any = None,
        seed: Any = None,
    ) -> Any:  # fmt: skip
        if not isinstance(seed, int):
            return self._module.truncated_normal(
                shape, mean=mean, stddev=stddev, dtype=dtype, seed=seed
            )
        generator = np.random.default_rng(seed)
        drawn = generator.normal(size=shape)
        while (outside := np.abs(drawn) > 2).any():
            drawn[outside] = generator.normal(size=outside.sum())
        return _tensor(mean + stddev * drawn, dtype)

    def uniform(
        self, shape: Sequence[int], minval: float = 0.0, maxval: float = 1.0, dtype: Any = None,
        seed: Any = None,
    ) -> Any:  # fmt: skip
        if not isinstance(seed, int):
            return self._module.uniform(shape, minval=minval, maxval=maxval, dtype=dtype, seed=seed)
        drawn = np.random.default_rng(seed).uniform(minval, maxval, shape)
        return _tensor(drawn, dtype)


def _tensor(drawn: np.ndarray, dtype: Any) -> Any:
    return ops.convert_to_tensor(drawn.astype(dtype or keras.config.floatx()))
