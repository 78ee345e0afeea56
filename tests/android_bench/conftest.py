"""The emulated ARM cores, set up once."""

import pytest

#: What the emulator needs of the system, by program.
EMULATOR_TOOLS = {
    "qemu-aarch64": "qemu-user",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "gcc": "gcc",
}


@pytest.fixture(scope="session")
def emulator(tmp_path_factory, need):
    """The emulator, set up in a folder of its own."""
    for program, package in EMULATOR_TOOLS.items():
        need(program, package)
    from android_bench.emulated import setup_emulator

    emulator = setup_emulator(tmp_path_factory.mktemp("emulator"), progress=False)
    if not emulator.can_count:
        pytest.skip("this qemu-user takes no plugins of version 1: install Debian 12's qemu-user")
    return emulator
