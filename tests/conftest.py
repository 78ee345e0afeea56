"""What all tests share: quiet backends, the real images, and which tests may not be skipped."""

import os
import shutil
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

REAL_DATA = os.environ.get("LWCNN_DATA")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images that LWCNN_DATA names; the test is skipped when it is not set."""
    if not REAL_DATA:
        pytest.skip("LWCNN_DATA is not set")
    folder = Path(REAL_DATA)
    assert (folder / "cifar10.npz").is_file(), f"LWCNN_DATA={folder} holds no cifar10.npz"
    return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A folder of small `.tflite` files, good and bad ones; see `tests/support/tflite_files.py`."""
    from tflite_files import write_all

    return write_all(tmp_path_factory.mktemp("models"))


#: Options that keep a benchmark in a test as short as it can be.
SHORT = {"num_runs": 3, "min_secs": 0.0, "warmup_min_secs": 0.0}


@pytest.fixture(scope="session")
def short() -> dict:
    return dict(SHORT)


@pytest.fixture(scope="session")
def need():
    """Skip a test when a program is missing, naming the package that has it."""

    def check(program: str, package: str) -> None:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing: install the package {package}")

    return check


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Count a skip as a failure where it is none: real data is given, or all of it runs in CI."""
    report = yield
    needed = item.get_closest_marker("real_data") or os.environ.get("CI")
    if REAL_DATA and needed and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but LWCNN_DATA is set: {report.longrepr[2]}"
    return report
