"""The measured process: trains a network for a few steps and prints what that took as JSON.

    python -m keras_lwcnn.training.cost_worker SETUP-AS-JSON MODEL

It is a process of its own, so that neither other networks nor the caller are in what it measures.
"""

import gc
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import fmean
from typing import Any

import keras
import numpy as np
import psutil

from keras_lwcnn.models import build, model_named
from keras_lwcnn.training.cost import TrainingSetup

SAMPLING_SECONDS = 0.01


class ResidentSet:
    """Samples of this process's resident set, in bytes above that of the first sample."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.baseline = self._process.memory_info().rss
        self.samples: list[int] = []

    def sample(self) -> None:
        """Take a sample."""
        self.samples.append(self._process.memory_info().rss - self.baseline)

    @contextmanager
    def sampled(self) -> Iterator[None]:
        """Take samples in a thread while the block runs."""
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(SAMPLING_SECONDS):
                self.sample()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


class StepMeter(keras.callbacks.Callback):
    """Seconds of each step, and where among the samples the first one ended."""

    def __init__(self, memory: ResidentSet) -> None:
        super().__init__()
        self.memory = memory
        self.seconds: list[float] = []
        self.first_samples = 0

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Stop the clock once the step is done, which reading its loss waits for."""
        float(logs["loss"])
        self.seconds.append(time.perf_counter() - self._began)
        if batch == 0:
            self.first_samples = len(self.memory.samples)
        self.memory.sample()


class RandomBatches(keras.utils.PyDataset):
    """The same random images and labels at every step."""

    def __init__(self, setup: TrainingSetup, input_range: tuple[float, float]) -> None:
        super().__init__()
        random = np.random.default_rng(0)
        shape = (setup.batch_size, setup.image_size, setup.image_size, 3)
        self.images = random.uniform(*input_range, shape).astype(np.float32)
        self.labels = random.integers(setup.classes, size=setup.batch_size)
        # One more than is timed, since the first step also compiles.
        self.steps = setup.steps + 1

    def __len__(self) -> int:
        """Return the number of steps."""
        return self.steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the batch."""
        return self.images, self.labels


def measure(name: str, setup: TrainingSetup) -> dict[str, Any]:
    """Train a network in this process; return what `TrainingCost` needs."""
    keras.utils.set_random_seed(0)
    model = build(
        name,
        input_shape=(setup.image_size, setup.image_size, 3),
        classes=setup.classes,
        classifier_activation=None,
    )
    model.compile(
        optimizer={
            "adamw": lambda: keras.optimizers.AdamW(1e-3),
            "sgd": lambda: keras.optimizers.SGD(1e-3, momentum=0.9, nesterov=True),
        }[setup.optimizer](),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    batches = RandomBatches(setup, model_named(name).input_range)
    gc.collect()
    memory = ResidentSet()
    steps = StepMeter(memory)
    with memory.sampled():
        model.fit(batches, shuffle=False, callbacks=[steps], verbose=0)
    return {
        "baseline_bytes": memory.baseline,
        "peak_bytes": max(memory.samples),
        "mean_bytes": round(fmean(memory.samples[steps.first_samples :])),
        "gpu_peak_bytes": gpu_peak_bytes(),
        "first_step_seconds": steps.seconds[0],
        "step_seconds": steps.seconds[1:],
        "backend": keras.backend.backend(),
    }


def gpu_peak_bytes() -> int | None:
    """Return the most bytes of the first GPU that the backend's allocator held at once.

    Returns:
        None without a GPU, and on the TensorFlow backend, which Keras gives no way to ask.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        device = jax.local_devices()[0]
        return None if device.platform == "cpu" else device.memory_stats()["peak_bytes_in_use"]
    if backend == "torch":
        import torch

        return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    return None


if __name__ == "__main__":
    figures = measure(sys.argv[2], TrainingSetup(**json.loads(sys.argv[1])))
    print(json.dumps(figures))
