"""What all tests share: quiet backends, the real images, and the rule that real data never skips."""

import os
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where real data is given every test has to run, so a skip counts as a failure."""
    report = yield
    if REAL_DATA and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped although LWCNN_DATA is set: {report.longrepr[2]}"
    return report
