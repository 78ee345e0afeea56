"""Finding the adb client and the device, in states that a real adbd cannot be brought to."""

import subprocess

import pytest

from android_bench import DeviceError, open_device
from android_bench.devices.adb import choose_device, find_adb, parse_devices
from android_bench.devices.phone import parse_phone
from android_bench.engines.benchmark_model import tool_arguments
from android_bench.options import BenchmarkOptions

LISTED = """\
* daemon not running; starting now at tcp:5037
* daemon started successfully
List of devices attached
R58N30ABCDE\tdevice
emulator-5554\toffline
0123 456\tunauthorized
99001FFAZ\tno permissions (user in plugdev group; are your udev rules wrong?); see [http://x]

"""


def test_devices_are_listed_with_their_states_whatever_else_adb_says():
    assert parse_devices(LISTED) == {
        "R58N30ABCDE": "device", "emulator-5554": "offline", "0123 456": "unauthorized",
        "99001FFAZ": "no permissions",
    }  # fmt: skip


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """Put an adb on PATH that lists the given devices and does nothing else."""

    def put(listed, code=0, folder=tmp_path / "bin"):
        folder.mkdir(parents=True, exist_ok=True)
        program = folder / "adb"
        (tmp_path / "listed").write_text("List of devices attached\n" + listed)
        program.write_text(f"#!/bin/sh\ncat {tmp_path}/listed\necho bad >&2\nexit {code}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
        monkeypatch.delenv("ANDROID_SERIAL", raising=False)
        return program

    return put


@pytest.mark.parametrize(
    ("listed", "device", "found"),
    [
        ("", "adb", "no device. Connect the phone and switch on USB debugging"),
        ("A\tunauthorized\n", "adb", "adb:A: the phone is unauthorized. Unlock the phone"),
        ("A\toffline\n", "adb:A", "adb:A: the phone is offline. Reconnect the cable"),
        ("A\tno permissions (x); see [y]\n", "adb", "no permissions. Allow this user.*udev"),
        ("A\tdevice\nB\tdevice\n", "adb", r"several devices.*adb:SERIAL: A \(device\), B"),
        ("A\tdevice\n", "adb:B;id", r"no device 'B;id'; allowed are A \(device\)"),
        ("A\tbootloader\n", "adb", "the phone is bootloader. Let the phone start"),
    ],
)
def test_every_state_is_one_line_with_the_way_out(stub, listed, device, found):
    stub(listed)
    with pytest.raises(DeviceError, match=found) as caught:
        open_device(device)
    assert "\n" not in str(caught.value)


def test_the_serial_comes_from_the_environment_where_none_is_given(stub, monkeypatch):
    stub("A\tdevice\nB\toffline\n")
    monkeypatch.setenv("ANDROID_SERIAL", "B")
    with pytest.raises(DeviceError, match="adb:B: the phone is offline"):
        open_device("adb")


def test_an_adb_server_that_does_not_start_is_told(stub):
    stub("", code=1)
    with pytest.raises(DeviceError, match=r"adb server does not start.*\[bad\]"):
        open_device("adb")


def test_a_phone_that_goes_between_listing_and_use_is_told(stub):
    stub("A\tdevice\n")
    with pytest.raises(DeviceError, match="no folder could be made") as caught:
        open_device("adb:A")
    assert "\n" not in str(caught.value)


def test_adb_is_looked_for_on_path_then_in_android_home_then_missed(stub, tmp_path, monkeypatch):
    on_path = stub("")
    assert find_adb() == str(on_path)
    on_path.unlink()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("ANDROID_SDK_ROOT", raising=False)
    monkeypatch.delenv("ANDROID_HOME", raising=False)
    with pytest.raises(
        DeviceError, match="adb is not installed. Install the system's package 'adb'"
    ):
        open_device("adb")
    sdk = tmp_path / "my sdk"
    in_sdk = stub("", folder=sdk / "platform-tools")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("ANDROID_HOME", str(sdk))
    assert find_adb() == str(in_sdk)
    with pytest.raises(DeviceError, match="'/nowhere/adb' is no program. Check --adb"):
        find_adb("/nowhere/adb")


def test_a_benchmark_binary_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no_such_tool"):
        open_device("adb", benchmark_binary=tmp_path / "no_such_tool")


def test_a_serial_that_looks_like_shell_is_only_a_serial():
    serial = "a; $(touch pwned) 'b'"
    assert choose_device({serial: "device"}, None) == serial


def test_the_native_tool_gets_the_options_by_its_own_names():
    words = tool_arguments("/data/local/tmp/x/model0.tflite", BenchmarkOptions(num_threads=4))
    assert words == [
        "--graph=/data/local/tmp/x/model0.tflite", "--num_threads=4", "--num_runs=50",
        "--min_secs=1.0", "--max_secs=150.0", "--warmup_runs=1", "--warmup_min_secs=0.5",
        "--run_delay=-1.0", "--use_xnnpack=true",
    ]  # fmt: skip


PHONE = """\
ro.product.manufacturer=Google
ro.product.model=Pixel 8
ro.build.version.release=14
ro.soc.model=
machine=aarch64
kernel=5.15.110
/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor=sched_pixel
/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq=1704000
/sys/devices/system/cpu/cpu4/cpufreq/cpuinfo_max_freq=2367000
/sys/devices/system/cpu/cpu8/cpufreq/cpuinfo_max_freq=2914000
/sys/devices/system/cpu/cpu8/cpufreq/scaling_cur_freq=500000
/sys/class/thermal/thermal_zone0=BIG 38000
/sys/class/thermal/thermal_zone1=battery 305
/sys/class/thermal/thermal_zone2=VIRTUAL-SKIN 43100
/sys/class/thermal/thermal_zone3=modem -273000
/sys/class/thermal/thermal_zone4=cpu-1-2 55
/sys/class/thermal/thermal_zone5=wlan invalid
CPU part\t: 0xd41
"""


def test_a_phones_facts_are_read_in_the_units_that_phones_give():
    phone = parse_phone(PHONE)
    assert (phone.machine, phone.facts["cpu"]) == ("aarch64", "Google Pixel 8")
    assert phone.facts["os"] == "Android 14 (kernel 5.15.110)"
    assert phone.facts["core"] == "1x Cortex-A78"
    assert phone.big_cores() == "0x100"
    assert phone.state == {
        "governor": "sched_pixel",
        "frequencies_mhz": {"8": 500},
        "temperatures_c": {
            "0:BIG": 38.0, "1:battery": 30.5, "2:VIRTUAL-SKIN": 43.1, "4:cpu-1-2": 55.0,
        },
    }  # fmt: skip
    assert phone.hot_zones() == {"2:VIRTUAL-SKIN": 43.1}


def test_a_phone_that_tells_nothing_is_still_a_phone():
    phone = parse_phone("machine=armv8l\n")
    assert phone.big_cores() is None and phone.hot_zones() == {}
    assert phone.facts["core"] is None and phone.state["governor"] is None


def test_the_facts_script_runs_in_a_plain_shell():
    from android_bench.devices.phone import SCRIPT

    done = subprocess.run(["sh", "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert parse_phone(done.stdout).machine


def test_a_phone_without_litert_for_its_processor_is_told_what_to_give():
    from android_bench.engines.bundle import bundle

    with pytest.raises(
        DeviceError,
        match="'armv7l'; allowed are aarch64.*Give Google's benchmark_model.*--benchmark-bi",
    ):
        bundle("armv7l")
