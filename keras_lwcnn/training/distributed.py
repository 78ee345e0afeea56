"""Several processes that train one network together, on one machine or more: JAX only."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np

from keras_lwcnn.files import written_beside


@dataclass(frozen=True)
class Part:
    """This process's part of every batch.

    Attributes:
        index: number of the process, from 0; process 0 writes the files.
        count: how many processes there are.
        devices: devices that a batch is spread over, of all processes.
    """

    index: int = 0
    count: int = 1
    devices: int = 1

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Return this process's rows of a batch; together, in order, the parts are the batch."""
        share = len(rows) // self.count
        return rows[self.index * share : (self.index + 1) * share]


def join(processes: int, coordinator: str, process_id: int) -> None:
    """Join the other processes, and let models that are built from now on train on all of them.

    Has to be called before JAX is used. Every process then builds the same model after
    `keras.utils.set_random_seed` with the same seed and calls `train` with the same arguments.

    Args:
        processes: how many there are, at least 2.
        coordinator: HOST:PORT on which process 0 listens, reachable from all.
        process_id: number of this one, 0 to `processes` - 1.

    Raises:
        ValueError: a number out of range, a coordinator that is no HOST:PORT, or another backend
            than JAX.
        RuntimeError: the others could not be reached.
    """
    if processes < 2:
        raise ValueError(f"processes={processes} is too small; allowed is 2 or more")
    if not 0 <= process_id < processes:
        raise ValueError(
            f"process_id={process_id} is out of range; allowed is 0 to {processes - 1}"
        )
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"coordinator={coordinator!r} has no port; allowed is HOST:PORT")
    if keras.backend.backend() != "jax":
        raise ValueError(
            f"several processes train on the JAX backend only; this is {keras.backend.backend()}. "
            "Set KERAS_BACKEND=jax"
        )
    import jax

    # Only used where devices are CPUs.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        coordinator_address=coordinator, num_processes=processes, process_id=process_id
    )
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(
            devices=keras.distribution.list_devices(), auto_shard_dataset=False
        )
    )


def this_part() -> Part:
    """Return this process's part of a batch: all of it unless it joined others."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return Part()
    import jax

    return Part(jax.process_index(), jax.process_count(), jax.device_count())


def from_first(content: bytes, part: Part) -> bytes:
    """Return the content of process 0 in every process."""
    if part.count == 1:
        return content
    from jax.experimental.multihost_utils import broadcast_one_to_all

    length = int(broadcast_one_to_all(np.asarray(len(content))))
    own = np.frombuffer(content, np.uint8) if part.index == 0 else np.zeros(length, np.uint8)
    return np.asarray(broadcast_one_to_all(own)).astype(np.uint8).tobytes()


@contextmanager
def written_by_first(path: Path, part: Part) -> Iterator[Path]:
    """Yield a path to write to; process 0 alone keeps the file, under `path`.

    Saving makes variables in Keras, in which all processes take part.
    """
    if part.index == 0:
        with written_beside(path) as temporary:
            yield temporary
        return
    with TemporaryDirectory() as folder:
        yield Path(folder, path.name)
