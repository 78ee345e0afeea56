"""The adb device against a real adb client and a real adbd, in a network namespace of its own.

adbd is Debian 13's, unpacked beside the system. One phone is of this machine's kind, the other is
an aarch64 one whose adbd and runner run under QEMU.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from android_bench import DeviceError, benchmark, benchmark_interleaved, open_device
from android_bench.errors import ConnectionLost
from lwcnn.rows import validate_row

SERIAL = "127.0.0.1:5555"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def unpacked_adbd(machine, cache):
    """Download Debian 13's adbd with its libraries and unpack them into a folder, once."""
    root = Path(cache) / "root"
    if root.is_dir():
        return root
    release = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.M)
    apt_folder, sources = Path("/etc/apt"), []
    for pattern in ("sources.list", "sources.list.d/*.list", "sources.list.d/*.sources"):
        sources += [p for p in apt_folder.glob(pattern) if release and release[1] in p.read_text()]
    if not sources or not shutil.which("apt-get"):
        pytest.skip("needs Debian's package adbd")
    for name in ("lists/partial", "archives/partial", "sources"):
        (cache / name).mkdir(parents=True, exist_ok=True)
    for path in sources:
        text = path.read_text().replace(release[1], "trixie")
        (cache / "sources" / path.name).write_text(text)
    settings = {
        "Dir::Etc::sourcelist": "/dev/null", "Dir::Etc::sourceparts": cache / "sources",
        "Dir::State::lists": cache / "lists", "Dir::Cache": cache,
        "Dir::State::status": "/dev/null", "APT::Architecture": ARCHITECTURES[machine],
        "APT::Architectures": ARCHITECTURES[machine], "APT::Sandbox::User": "root",
    }  # fmt: skip
    apt = ["apt-get", "-qq"] + [x for k, v in settings.items() for x in ("-o", f"{k}={v}")]
    for verb in (["update"], ["install", "-y", "--no-install-recommends", "-d", "adbd"]):
        subprocess.run([*apt, *verb], check=True, capture_output=True)
    with tempfile.TemporaryDirectory(dir=cache) as unpacked:
        for package in (cache / "archives").glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)
        shutil.copytree(unpacked, root, symlinks=True)
    return root


class AdbPhone:
    """An adbd in namespaces of its own, and a client that reaches it there."""

    def __init__(self, machine, adbd, folder):
        self.machine, self.folder = machine, folder
        (folder / "root").mkdir()
        qemu = [shutil.which("qemu-aarch64")] if machine != os.uname().machine else []
        unshare = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork",
                   "--kill-child", "--mount-proc"]  # fmt: skip
        script = Path(__file__).with_name("phone_root.py")
        words = [sys.executable, script, adbd, folder / "root", machine, *qemu]
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen([*unshare, *words], stdout=log, stderr=log)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        eventually(lambda: "adbd started" in (folder / "log").read_text(), self.process)
        self.pid = int(children.read_text().split()[0])
        self.home = folder / "home"
        self.home.mkdir()
        self.adb = folder / "adb"
        self.adb.write_text(
            f"#!/bin/sh\nHOME={self.home} TMPDIR={folder} exec nsenter --preserve-credentials "
            f'--user --net --target {self.pid} {shutil.which("adb")} "$@"\n'
        )
        self.adb.chmod(0o755)
        self.connect()

    def connect(self):
        subprocess.run([self.adb, "connect", SERIAL], check=True, capture_output=True)

        def ready():
            command = [self.adb, "-s", SERIAL, "get-state"]
            return subprocess.run(command, capture_output=True).stdout == b"device\n"

        eventually(ready)

    def open(self, **settings):
        return open_device(f"adb:{SERIAL}", adb=self.adb, **settings)

    def path(self, name):
        """A path of the phone, as seen from here."""
        return Path(f"/proc/{self.pid}/root{name}")

    def left(self):
        """What is in the phone's folder for everybody."""
        return [path.name for path in self.path("/data/local/tmp").iterdir()]

    def stop(self):
        subprocess.run([self.adb, "kill-server"], capture_output=True)
        self.process.kill()
        self.process.wait()


def eventually(holds, process=None):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None
        time.sleep(0.02)


def make_phone(machine, tmp_path_factory, config):
    needed = {"adb": "adb", "unshare": "util-linux", "ip": "iproute2", "dpkg-deb": "dpkg"}
    if machine != os.uname().machine:
        needed |= {"qemu-aarch64": "qemu-user"}
        needed |= {"aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu"}
    else:
        needed |= {"gcc": "gcc"}
    missing = [package for program, package in needed.items() if not shutil.which(program)]
    if missing:
        pytest.skip(f"needs the packages {', '.join(missing)}")
    adbd = unpacked_adbd(machine, config.cache.mkdir(f"adbd-{machine}"))
    return AdbPhone(machine, adbd, tmp_path_factory.mktemp("phone"))


@pytest.fixture(scope="module")
def phone(tmp_path_factory, pytestconfig):
    phone = make_phone(os.uname().machine, tmp_path_factory, pytestconfig)
    yield phone
    phone.stop()


@pytest.fixture(scope="module")
def arm_phone(tmp_path_factory, pytestconfig):
    from android_bench.emulated import setup_emulator

    phone = make_phone("aarch64", tmp_path_factory, pytestconfig)
    setup_emulator(progress=False)
    yield phone
    phone.stop()


@pytest.fixture
def nothing_left(phone, tmp_path, monkeypatch):
    """Check that a test leaves neither files nor processes, here or on the phone."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(here))
    yield
    eventually(lambda: not phone.left() and not running("/data/local/tmp/android_bench."))
    assert list(here.iterdir()) == []


def running(mark):
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and mark.encode() in Path(f"/proc/{name}/cmdline").read_bytes():
                found.append(int(name))
    return found


def runners():
    """The runners on the phone that have opened their model."""
    found = []
    for pid in running("/data/local/tmp/android_bench."):
        with contextlib.suppress(OSError):
            if "model0.tflite" in Path(f"/proc/{pid}/maps").read_text():
                found.append(pid)
    return found


def test_a_phone_is_measured_by_the_bundled_runner_and_computes_what_this_machine_does(
    phone, models, short, nothing_left
):
    with phone.open() as device:
        result = benchmark(models / "int8.tflite", device, sessions=2, affinity="big", **short)
    validate_row(result.to_dict())
    assert (result.device, result.engine) == (f"adb:{SERIAL}", "runner")
    assert (result.os.split(" (")[0], result.cpu) == ("Android 14", "Emulated Phone")
    assert (result.runs, result.nodes, result.delegated_nodes) == (6, 2, 2)
    assert result.affinity_mask == "0x2"  # of the CPU with the higher maximum frequency
    assert result.before["governor"] == "schedutil"
    assert result.before["frequencies_mhz"] == {"0": 900, "1": 1200}
    assert result.after["temperatures_c"] == {"0:cpu-0-0": 41.5, "1:battery": 31.0}
    host = benchmark(models / "int8.tflite", **short)
    assert result.outputs[0]["sha256"] == host.outputs[0]["sha256"]


def test_an_arm_phone_runs_the_arm_runner_and_computes_the_same_int8_outputs(
    arm_phone, models, short
):
    paths = [models / "int8.tflite", models / "mixed.tflite"]
    with arm_phone.open() as device:
        first, second = benchmark_interleaved(paths, device, sessions=2, **short)
        assert device.facts()["architecture"] == "aarch64"
    assert first.core == "2x Cortex-A72" and first.run == second.run
    assert first.outputs[0]["equals_host"]
    assert second.not_delegated == ["REVERSE_V2"]
    assert arm_phone.left() == []


def test_a_binary_of_another_machine_is_named_as_the_cause(phone, models, tmp_path, nothing_left):
    binary = tmp_path / "benchmark_model"
    binary.write_bytes(b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x02\0\xf3\0" + b"\0" * 100)  # RISC-V
    wrong = "cannot be executed on this .* device"
    with phone.open(benchmark_binary=binary) as device, pytest.raises(DeviceError, match=wrong):
        benchmark(models / "float32.tflite", device)


TOOL = """#!/bin/sh
echo "$@" >&2
case "$*" in *--use_xnnpack=true*--fail*) exit 1;; esac
echo "INFO: count=2 first=30 curr=20 min=20 max=30 avg=25 std=5 p5=20 median=30 p95=30"
echo "INFO: count=4 first=9 curr=11 min=9 max=11 avg=10 std=1 p5=9 median=10 p95=11"
echo "INFO: Inference timings in us: Init: 5, First inference: 30, Warmup (avg): 25, Inference (avg): 10"
echo "INFO: Memory footprint delta from the start of the tool (MB): init=1.5 overall=2.5"
"""  # noqa: E501


def test_a_users_benchmark_binary_is_run_once_a_session_and_read(
    phone, models, short, tmp_path, nothing_left
):
    binary = tmp_path / "my tool; $(touch pwned).sh"
    binary.write_text(TOOL)
    paths = [models / "float32.tflite", models / "int8.tflite"]
    with phone.open(benchmark_binary=binary) as device:
        results = benchmark_interleaved(paths, device, sessions=3, num_threads=2, **short)
    for result in results:
        validate_row(result.to_dict())
        assert (result.engine, result.runs, result.num_threads) == ("benchmark_model", 12, 2)
        assert (result.median_us, result.mean_us, result.std_us) == (10, 10, 1)
        assert result.session_medians_us == [10, 10, 10]
    with phone.open(benchmark_binary=binary) as device:
        alone = benchmark(models / "float32.tflite", device, affinity="0x1", **short)
    assert (alone.memory_init_mb, alone.memory_peak_mb, alone.p95_us) == (1.5, 2.5, 11)


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo oh no >&2; exit 3", r"exit code 3 on float32.tflite.*\[oh no\]"),
        ("echo count=1 curr=5", "output is cut or of another tool"),
    ],
)
def test_a_binary_that_fails_or_prints_something_else_is_told_so(
    phone, models, tmp_path, script, found, nothing_left
):
    binary = tmp_path / "tool"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    with phone.open(benchmark_binary=binary) as device, pytest.raises(DeviceError, match=found):
        benchmark(models / "float32.tflite", device)


def test_arguments_and_names_reach_the_phone_as_they_are(phone, tmp_path, nothing_left):
    odd = ["two words", "it's", '"', ";", "$(touch pwned)", "`id`", "*", "\\n", "", "ü"]
    source = tmp_path / 'it\'s; a $(name) `and` "more".bin'
    source.write_bytes(os.urandom(100_000))
    with phone.open() as device:
        done = device.run(["sh", "-c", 'printf "<%s>\\n" "$@"; exit 7', "x", *odd], 9)
        assert (done.returncode, done.stdout.splitlines()) == (7, [f"<{word}>" for word in odd])
        back = device.pull(device.push(source, "input0.bin"), tmp_path / "back; $(too)")
    assert back.read_bytes() == source.read_bytes()


def test_a_full_phone_is_named_as_the_cause(phone, models, nothing_left):
    big = phone.path("/data/local/tmp/big")
    subprocess.run(["dd", "if=/dev/zero", f"of={big}", "bs=1M"], capture_output=True)
    try:
        with phone.open() as device, pytest.raises(DeviceError, match="Free some space") as caught:
            benchmark(models / "float32.tflite", device)
    finally:
        big.unlink()
    assert "\n" not in str(caught.value)


def test_a_hot_phone_is_refused_unless_told(phone, models, short, nothing_left):
    sensor = phone.path("/sys/class/thermal/thermal_zone1/temp")
    before = sensor.read_text()
    sensor.write_text("455\n")
    try:
        with pytest.raises(DeviceError, match="hot .1:battery 45.5 °C.*--allow-hot"):
            phone.open()
        with phone.open(allow_hot=True) as device:
            result = benchmark(models / "float32.tflite", device, **short)
    finally:
        sensor.write_text(before)
    assert result.before["temperatures_c"]["1:battery"] == 45.5


def run_until(device, models, happens):
    """Benchmark without end, let `happens` strike once it runs, return the error."""
    errors = []

    def target():
        try:
            benchmark(models / "float32.tflite", device, min_secs=100, timeout=60)
        except DeviceError as error:
            errors.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    eventually(runners)
    happens()
    thread.join()
    return errors[0]


def test_a_runner_that_is_killed_is_called_killed(phone, models, nothing_left):
    with phone.open() as device:
        error = run_until(device, models, lambda: [os.kill(n, signal.SIGKILL) for n in runners()])
    assert "killed (SIGKILL)" in str(error) and "\n" not in str(error)


def test_a_hang_is_ended_on_the_phone_too(phone, models, nothing_left):
    with phone.open() as device, pytest.raises(DeviceError, match="no end within 3 s"):
        benchmark(models / "float32.tflite", device, min_secs=100, timeout=3)


def test_a_phone_unplugged_in_mid_run_is_told_and_cleans_up_by_itself(phone, models, nothing_left):
    def unplug():
        subprocess.run([phone.adb, "disconnect", SERIAL], check=True, capture_output=True)

    try:
        with phone.open() as device:
            error = run_until(device, models, unplug)
            assert isinstance(error, ConnectionLost) and "\n" not in str(error)
            assert "unplugged or the connection lost" in str(error)
            eventually(lambda: not phone.left() and not runners())
    finally:
        phone.connect()


def test_a_killed_client_leaves_nothing_on_the_phone(phone, models, nothing_left, tmp_path):
    code = f"""
import android_bench
device = android_bench.open_device("adb:{SERIAL}", adb={str(phone.adb)!r})
android_bench.benchmark({str(models / "float32.tflite")!r}, device, min_secs=100)
"""
    client = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    eventually(runners, client)
    client.kill()
    client.wait()
    eventually(lambda: not phone.left() and not runners())
