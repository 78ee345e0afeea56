"""The ssh device against a real sshd on 127.0.0.1, started here with keys of its own."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from android_bench import DeviceError, benchmark, open_device
from android_bench.devices.ssh import SSH
from android_bench.errors import ConnectionLost
from lwcnn.rows import validate_row

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Board:
    """An sshd of our own, and the client's configuration that leads to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("host_key", "key", "other_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name]
            subprocess.run(command, check=True)
        shutil.copy(folder / "key.pub", folder / "authorized_keys")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.home = folder / "home"
        self.home.mkdir()
        variables = {"HOME": self.home} | {
            name: value for name, value in os.environ.items() if name.startswith("PIP_")
        }
        settings = " ".join(f'"{name}={value}"' for name, value in variables.items())
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {folder}/host_key\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nPidFile {folder}/sshd.pid\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
            "StrictModes no\nPermitRootLogin prohibit-password\n"
            f"Subsystem sftp internal-sftp\nSetEnv {settings}\n"
        )
        host_key = (folder / "host_key.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host_key}")
        self.config = self.client_config("key")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [SSHD, "-D", "-f", folder / "sshd_config", "-E", folder / "log"]
        )
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            assert self.process.poll() is None, (folder / "log").read_text()
            time.sleep(0.02)

    def client_config(self, key, known_hosts="known_hosts"):
        path = self.folder / f"config_{key}_{known_hosts}"
        path.write_text(
            f"Host *\nIdentityFile {self.folder}/{key}\nIdentitiesOnly yes\nIdentityAgent none\n"
            f"UserKnownHostsFile {self.folder}/{known_hosts}\nGlobalKnownHostsFile none\n"
        )
        return path

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def open(self, **settings):
        settings = {"config": self.config, "python": sys.executable} | settings
        return open_device(f"ssh:{self.address}", **settings)

    def sessions(self):
        """The processes that sshd has forked for connections, at any depth."""
        parents = {}
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if name.isdigit():
                    stat = Path(f"/proc/{name}/stat").read_text()
                    parents[int(name)] = int(stat.rpartition(")")[2].split()[1])
        found = {self.process.pid}
        while True:
            more = {pid for pid, parent in parents.items() if parent in found} - found
            if not more:
                return sorted(found - {self.process.pid})
            found |= more


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("needs the package openssh-server")
    board = Board(tmp_path_factory.mktemp("board"))
    yield board
    board.process.terminate()
    board.process.wait()


def folders():
    return {path.name for path in Path("/tmp").glob("android_bench.*")}


@pytest.fixture
def nothing_left(tmp_path, monkeypatch):
    """Check that a test leaves neither files nor processes, here or on the board."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(here))
    before = folders()
    yield
    eventually(lambda: not folders() - before and not running("android_bench."))
    assert list(here.iterdir()) == []


def running(mark):
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and mark.encode() in Path(f"/proc/{name}/cmdline").read_bytes():
                found.append(int(name))
    return found


def eventually(holds):
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_model_is_measured_on_the_board_in_the_same_row_as_on_the_host(
    board, models, short, nothing_left
):
    with board.open() as device:
        result = benchmark(models / "int8.tflite", device, sessions=2, **short)
    validate_row(result.to_dict())
    assert result.device == f"ssh:{board.address}" and result.engine == "worker"
    assert (result.nodes, result.delegated_nodes, result.runs) == (2, 2, 6)
    host = benchmark(models / "int8.tflite", **short)
    assert result.outputs == host.outputs and result.sha256 == host.sha256


def test_files_go_there_and_come_back_unchanged(board, tmp_path, nothing_left):
    source = tmp_path / 'it\'s; a $(name) with:colon `and` "more".bin'
    source.write_bytes(os.urandom(100_000))
    with board.open() as device:
        remote = device.push(source, "input0.bin")
        back = device.pull(remote, tmp_path / "back; $(too).bin")
    assert back.read_bytes() == source.read_bytes()


def test_arguments_reach_the_command_as_they_are_and_its_exit_code_comes_back(
    board, tmp_path, nothing_left
):
    odd = ["two words", "it's", '"', ";", "$(touch pwned)", "`id`", "*", "\\n", "", "-e", "ü"]
    code = "import sys; print(sys.argv[1:]); print('said', file=sys.stderr); sys.exit(7)"
    with board.open() as device:
        done = device.run([sys.executable, "-c", code, *odd], 30)
    assert (done.returncode, done.stdout.strip()) == (7, repr(odd))
    assert "said" in done.stderr


def test_input_files_and_a_model_of_any_name_are_sent_under_plain_names(
    board, models, short, tmp_path, nothing_left
):
    import numpy as np

    model = tmp_path / "a model; $(touch pwned).tflite"
    model.write_bytes((models / "int8.tflite").read_bytes())
    image = tmp_path / "an image's.npy"
    np.save(image, np.ones((16, 16, 3), np.int8))
    with board.open() as device:
        result = benchmark(model, device, input_files=(str(image),), **short)
    assert result.model == model.name
    np.save(image, np.ones((16, 16, 3), np.float32))
    with board.open() as device, pytest.raises(ValueError, match="holds float32") as caught:
        benchmark(model, device, input_files=(str(image),), **short)
    assert str(image) in str(caught.value)


def test_facts_tell_about_the_board(board, nothing_left):
    with board.open() as device:
        facts = device.facts()
    assert facts["architecture"] == os.uname().machine
    assert {"governor", "temperatures_c", "core", "os"} <= set(facts)


def test_a_crashing_model_is_told_apart_from_a_lost_connection(board, models, nothing_left):
    with board.open() as device, pytest.raises(DeviceError, match="crashed the interpreter"):
        benchmark(models / "crashing.tflite", device)


def test_a_hang_is_ended_on_the_board_too(board, models, nothing_left):
    with board.open() as device, pytest.raises(DeviceError, match="no end within 3 s"):
        benchmark(models / "endless.tflite", device, timeout=3)


def run_until(device, models, happens):
    """Benchmark a model without end, let `happens` strike once it runs, return the error."""
    errors = []

    def target():
        try:
            benchmark(models / "endless.tflite", device)
        except DeviceError as error:
            errors.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    eventually(lambda: workers(device._folder.path))
    happens()
    thread.join()
    return errors[0]


def workers(folder):
    """The workers in a folder of the board that have opened their model."""
    found = []
    for pid in running(f"{folder}/worker.py"):
        with contextlib.suppress(OSError):
            if b"model0.tflite" in Path(f"/proc/{pid}/maps").read_bytes():
                found.append(pid)
    return found


def test_a_lost_connection_in_mid_run_ends_the_run_on_both_sides(board, models, nothing_left):
    with board.open() as device:

        def cut():
            for pid in board.sessions():
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sshd:"):
                        os.kill(pid, signal.SIGKILL)

        error = run_until(device, models, cut)
        assert isinstance(error, ConnectionLost) and "connection was lost" in str(error)
        assert "\n" not in str(error)
        # The board cleans up by itself, before the device is closed.
        folder = device._folder.path
        eventually(lambda: not Path(folder).exists() and not running(folder))


def test_a_killed_client_ends_the_run_on_the_board(board, models, nothing_left, tmp_path):
    code = f"""
import android_bench
device = android_bench.open_device("ssh:{board.address}", config={str(board.config)!r},
                                   python={sys.executable!r})
android_bench.benchmark({str(models / "endless.tflite")!r}, device)
"""
    before = folders()
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    client = subprocess.Popen([sys.executable, "-c", code], env=environment)
    eventually(lambda: any(workers(f"/tmp/{name}") for name in folders() - before))
    client.kill()
    client.wait()
    eventually(lambda: not folders() - before)


def test_a_worker_that_is_killed_is_called_killed(board, models, nothing_left):
    def kill():
        for pid in workers(device._folder.path):
            os.kill(pid, signal.SIGKILL)

    with board.open() as device:
        error = run_until(device, models, kill)
    assert "killed (SIGKILL)" in str(error) and "\n" not in str(error)


def test_output_that_is_cut_is_no_measurement(board, models, tmp_path, nothing_left):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nprintf %s \'{"facts": {"os"\'\n')
    python.chmod(0o755)
    with board.open(python=str(python)) as device:
        with pytest.raises(DeviceError, match="cut or no JSON") as caught:
            benchmark(models / "float32.tflite", device)
        assert "\n" not in str(caught.value)


def test_a_board_without_litert_or_python_is_told_so_with_the_way_out(
    board, models, tmp_path, nothing_left
):
    (tmp_path / "ai_edge_litert.py").write_text("raise ModuleNotFoundError(name=__name__)")
    (tmp_path / "tflite_runtime.py").write_text("raise ModuleNotFoundError(name=__name__)")
    (tmp_path / "tensorflow.py").write_text("raise ModuleNotFoundError(name=__name__)")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    for given, message in [
        (str(python), "no LiteRT runtime.*pip install ai-edge-litert"),
        ("/nowhere/python3", "no such program on the device"),
    ]:
        with board.open(python=given) as device, pytest.raises(DeviceError, match=message):
            benchmark(models / "float32.tflite", device)


def test_setting_up_installs_litert_once_and_a_half_made_one_is_made_again(
    board, models, short, nothing_left
):
    python = board.home / ".cache/android_bench/venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("half made")
    with board.open(setup=True) as device:
        assert device.engine.python == (str(python),)
        result = benchmark(models / "int8.tflite", device, **short)
    assert result.runtime.startswith("ai-edge-litert 2.")
    made = python.parent.parent.joinpath("pyvenv.cfg").stat().st_mtime_ns
    with board.open(setup=True):
        pass
    assert python.parent.parent.joinpath("pyvenv.cfg").stat().st_mtime_ns == made


def test_a_refused_key_an_unknown_host_key_and_a_wrong_port_are_told_apart(board, nothing_left):
    with pytest.raises(DeviceError, match="key refused.*ssh-copy-id"):
        board.open(config=board.client_config("other_key"))
    with pytest.raises(DeviceError, match="host key unknown or changed"):
        board.open(config=board.client_config("key", known_hosts="none"))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(DeviceError, match="no ssh server answers") as caught:
            SSH(address, config=board.config)
    assert "\n" not in str(caught.value)


def test_an_unknown_host_is_told_with_the_way_out(board):
    with pytest.raises(DeviceError, match="ssh:nowhere.invalid: host name not known"):
        SSH("nowhere.invalid", config=board.config)


@pytest.mark.parametrize(
    "address",
    ["-oProxyCommand=touch pwned", "a;b", "$(id)", "pi@", "h:0", "h:99999", "h:x", "a b", "pi@-v"],
)
def test_an_address_that_is_none_never_reaches_ssh(address):
    with pytest.raises(ValueError, match=r"allowed is \[user@\]host\[:port\]"):
        SSH(address)


def test_a_full_disk_is_named_as_the_cause(board, models, monkeypatch, nothing_left):
    with board.open() as device:
        monkeypatch.setattr(device._folder, "path", "/dev/full")
        with pytest.raises(DeviceError, match="free space"):
            device.push(models / "int8.tflite", "model.tflite")
