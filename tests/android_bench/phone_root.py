"""Become a phone: run as root of fresh user, network, mount and process namespaces.

usage: phone_root.py ADBD_ROOT EMPTY_FOLDER MACHINE [QEMU]

Makes a root with the parts of Android that our code looks at (/data/local/tmp, getprop, cpufreq,
thermal zones) around this machine's own /usr, and becomes adbd, which gives a root shell to anyone
who reaches its port: hence the network namespace, and no vsock sockets, which such a namespace
would not hold back.
"""

import ctypes
import os
import struct
import subprocess
import sys
from pathlib import Path

FREQUENCIES = {0: 1_800_000, 1: 2_400_000}
MODELS = {"aarch64": "0xd08", "x86_64": None}


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def forbid_vsock():
    """Let socket(AF_VSOCK, ...) fail, in this process and all that it starts, by seccomp."""
    number = {"x86_64": 41, "aarch64": 198}[os.uname().machine]
    load, jump, back = 0x20, 0x15, 0x06
    program = [
        (load, 0, 0, 0),  # the call's number
        (jump, 0, 3, number),
        (load, 0, 0, 16),  # its first argument
        (jump, 0, 1, 40),  # AF_VSOCK
        (back, 0, 0, 0x00050000 | 97),  # EAFNOSUPPORT
        (back, 0, 0, 0x7FFF0000),
    ]
    packed = b"".join(struct.pack("HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(packed)
    header = ctypes.create_string_buffer(
        struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer))
    )
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, header, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def main(adbd, root, machine, qemu=None):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    root = Path(root)
    mount("-t", "tmpfs", "phone", root)
    for name in ("usr", "proc", "dev", "etc", "adbd", "tmp", "data/local/tmp", "sys"):
        (root / name).mkdir(parents=True)
    for name in ("usr", "dev", "etc"):
        mount("--rbind", f"/{name}", root / name)
    mount("-t", "proc", "proc", root / "proc")
    mount("--bind", adbd, root / "adbd")
    # A phone's storage is finite.
    mount("-t", "tmpfs", "-o", "size=48m", "data", root / "data/local/tmp")
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for cpu, frequency in FREQUENCIES.items():
        folder = root / f"sys/devices/system/cpu/cpu{cpu}/cpufreq"
        write(folder / "cpuinfo_max_freq", f"{frequency}\n")
        write(folder / "scaling_cur_freq", f"{frequency // 2}\n")
        write(folder / "scaling_governor", "schedutil\n")
    for name in ("possible", "present", "online"):
        write(root / f"sys/devices/system/cpu/{name}", f"0-{len(FREQUENCIES) - 1}\n")
    for i, (kind, value) in enumerate([("cpu-0-0", 41500), ("battery", 310)]):
        write(root / f"sys/class/thermal/thermal_zone{i}/type", f"{kind}\n")
        write(root / f"sys/class/thermal/thermal_zone{i}/temp", f"{value}\n")
    properties = (
        "ro.product.manufacturer) echo Emulated;; ro.product.model) echo Phone;;"
        "ro.build.version.release) echo 14;;"
    )
    write(root / "system/bin/getprop", f"#!/bin/sh\ncase $1 in {properties} esac\n", 0o755)
    write(
        root / "system/bin/uname",
        f'#!/bin/sh\n[ "$1" = -m ] && echo {machine} || exec /usr/bin/uname "$@"\n',
        0o755,
    )
    command = []
    libraries = f"/adbd/usr/lib/{machine}-linux-gnu"
    if qemu:
        part = MODELS[machine]
        cpus = "".join(
            f"processor\t: {cpu}\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid\n"
            "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n"
            f"CPU part\t: {part}\nCPU revision\t: 3\n\n"
            for cpu in FREQUENCIES
        )
        write(root / "system/cpuinfo", cpus)
        mount("--bind", root / "system/cpuinfo", root / "proc/cpuinfo")
        interpreter = "/system/bin/qemu"
        write(root / interpreter[1:], f'#!/bin/sh\nexec {qemu} -cpu cortex-a72 "$@"\n', 0o755)
        # ARM programs that the shell starts are run by QEMU, too.
        mount("-t", "binfmt_misc", "binfmt", root / "proc/sys/fs/binfmt_misc")
        magic = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
        mask = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
        register = root / "proc/sys/fs/binfmt_misc/register"
        register.write_text(f":arm:M::{magic}:{mask}:{interpreter}:")
        command = [qemu, "-cpu", "cortex-a72"]
    (loader,) = (f"/{p.relative_to(root)}" for p in root.glob(f"{libraries[1:]}/ld-linux-*.so.*"))
    command += [loader, "--library-path", f"{libraries}:{libraries}/android"]
    command += ["/adbd/usr/lib/android-sdk/platform-tools/adbd"]
    forbid_vsock()
    os.chroot(root)
    os.chdir("/")
    environment = {"PATH": "/system/bin:/usr/bin:/bin", "HOME": "/", "TMPDIR": "/tmp"}
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
