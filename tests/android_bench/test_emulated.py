import json
import shutil
import subprocess
from pathlib import Path

import pytest

from android_bench import DEVICES, DeviceError, benchmark, open_device
from android_bench.devices.emulated import Emulated
from android_bench.emulated import CORES, find_emulator, setup_emulator, steps
from android_bench.emulated.counts import CLASSES, TOLERANCE, Counts, kernel_name
from android_bench.emulated.elf import Elf
from android_bench.emulated.kernels import SymbolTable, name_functions
from android_bench.engines import instruction_counter
from android_bench.errors import ToolMissing
from lwcnn.rows import validate_row

TOOLS = {
    "qemu-aarch64": "qemu-user",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "gcc": "gcc",
}


@pytest.fixture(scope="module")
def arm_gcc(need):
    need("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")
    return ["aarch64-linux-gnu-gcc", "-O2", "-nostdlib"]


def count(emulator, core, path, **options):
    with Emulated(core, emulator) as device:
        return benchmark(path, device, **options)


# --- Set-up ---------------------------------------------------------------------------------


def test_a_finished_set_up_is_found_and_not_made_again(emulator, monkeypatch):
    for name in ("cross_root", "litert", "runner", "counter", "core_roots"):
        monkeypatch.setattr(steps, f"make_{name}", lambda *arguments: pytest.fail("made again"))
    assert setup_emulator(emulator.folder, progress=False) == emulator
    assert find_emulator(emulator.folder) == emulator


def test_a_cut_set_up_leaves_nothing_half_made_and_is_resumed(emulator, tmp_path, monkeypatch):
    shutil.copytree(emulator.folder / "downloads", tmp_path / "downloads")
    monkeypatch.setattr(steps, "name_functions", interrupt)
    with pytest.raises(KeyboardInterrupt):
        setup_emulator(tmp_path, progress=False)
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"downloads", "lock", "plan.json", "root"}
    with pytest.raises(DeviceError, match="not set up .*lwcnn bench setup"):
        find_emulator(tmp_path)
    root = (tmp_path / "root").stat().st_ino
    monkeypatch.undo()
    setup_emulator(tmp_path, progress=False)
    assert (tmp_path / "root").stat().st_ino == root


def interrupt(*arguments):
    raise KeyboardInterrupt


def test_a_damaged_file_is_told_by_name_and_set_up_again(emulator, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(emulator.folder, folder, symlinks=True)
    library = folder / "lib/ai_edge_litert/libLiteRt.so"
    whole = library.read_bytes()
    library.write_bytes(whole[:1000])
    with pytest.raises(DeviceError, match=r"libLiteRt.so is missing or was changed"):
        find_emulator(folder)
    setup_emulator(folder, progress=False)
    assert library.read_bytes() == whole


def test_a_set_up_for_another_litert_is_not_used(emulator, tmp_path):
    stamp = json.loads((emulator.folder / "stamp.json").read_text())
    (tmp_path / "stamp.json").write_text(json.dumps(stamp | {"litert": "1.0.0"}))
    with pytest.raises(DeviceError, match=r"litert 1\.0\.0.*lwcnn bench setup"):
        find_emulator(tmp_path)


@pytest.mark.parametrize("program", list(TOOLS))
def test_a_missing_program_is_told_with_its_package(emulator, tmp_path, monkeypatch, program):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:
        if name != program:
            (tools / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(ToolMissing, match=f"apt-get install {TOOLS[program]}"):
        setup_emulator(tmp_path / "new", engine="runner", progress=False)


def test_by_name_it_says_how_to_set_it_up(need, tmp_path, monkeypatch):
    need("qemu-aarch64", "qemu-user")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DeviceError, match="not set up in .*run: lwcnn bench setup"):
        open_device("emulated:cortex-a72")


def test_packages_that_cannot_be_had_are_told_with_the_way_out(need, tmp_path, monkeypatch):
    need("apt-get", "apt")
    monkeypatch.setattr(steps, "INSTALLED", tmp_path / "nowhere")
    monkeypatch.setattr(steps, "CROSS_PACKAGES", ("no-such-package-arm64-cross",))
    with pytest.raises(DeviceError, match="no-such-package-arm64-cross cannot be downloaded .*apt"):
        steps.make_cross_root(tmp_path)
    assert not (tmp_path / "root").exists()


def test_the_devices_that_are_listed_hold_every_core():
    assert f"emulated:{'|'.join(CORES)}" in DEVICES


def test_an_unknown_core_is_refused_with_the_allowed_ones(emulator):
    with pytest.raises(
        ValueError, match="'cortex-m4' is unknown; allowed are cortex-a53, cortex-a55"
    ):
        Emulated("cortex-m4", emulator)


def test_the_bundle_for_phones_is_all_there(emulator):
    files = emulator.bundle()
    assert {"ld-linux-aarch64.so.1", "libc.so.6", "libLiteRt.so", "runner"} <= set(files)
    assert all(path.read_bytes()[18] == 183 for path in files.values())  # ELF's number of AArch64


# --- Counting -------------------------------------------------------------------------------

#: Two marked runs of a loop with known instructions: 1000 times a load, a store, a SIMD
#: multiplication, an addition, a subtraction and a branch.
LOOP = """
.global _start
_start: mov x19, #2
again:  mov x8, #125
        ldr w0, =0x6c770001
        svc #0
        mov x1, #1000
        adr x2, buffer
loop:   ldr q0, [x2]
        str q0, [x2]
        mul v0.4s, v0.4s, v0.4s
        add x3, x3, #1
        subs x1, x1, #1
        b.ne loop
        ldr w0, =0x6c770002
        svc #0
        subs x19, x19, #1
        b.ne again
        mov x8, #94
        mov x0, #0
        svc #0
        .ltorg
        .data
        .balign 16
buffer: .skip 16
"""


def test_a_loop_of_known_instructions_is_counted_exactly(emulator, arm_gcc, tmp_path):
    (tmp_path / "loop.s").write_text(LOOP.replace("adr x2, buffer", "ldr x2, =buffer"))
    program = tmp_path / "loop"
    subprocess.run([*arm_gcc, "-static", "-o", program, tmp_path / "loop.s"], check=True)
    with Emulated("cortex-a72", emulator) as device, device.counting(tmp_path / "counts"):
        assert device.run([str(program)], 60).returncode == 0
    counts = Counts.read(tmp_path / "counts")
    # Beside the loop: mov and ldr before it, and ldr and svc of the end.
    classes = {"load_store": 2000 + 2, "simd": 1000, "scalar": 2000 + 1, "branch": 1000 + 1}
    assert counts.runs == (tuple(classes[name] for name in CLASSES),) * 2
    assert counts.classes() == classes
    assert counts.agree(2)
    assert sum(block.total for block in counts.blocks) == sum(classes.values())


def test_two_runs_count_the_same_and_give_a_row_without_times(emulator, models):
    first, second = (count(emulator, "cortex-a72", models / "int8.tflite") for _ in range(2))
    assert first.instructions == pytest.approx(second.instructions, rel=TOLERANCE)
    row = first.to_dict()
    validate_row(row)
    assert row["device"] == "emulated:cortex-a72" and row["core"] == "Cortex-A72 (emulated)"
    assert row["median_us"] is None and row["session_medians_us"] == []
    assert sum(row["instruction_classes"].values()) == row["instructions"]
    assert sum(row["instruction_kernels"].values()) == row["instructions"]
    assert set(row["instruction_classes"]) == set(CLASSES)


@pytest.mark.parametrize("core", list(CORES))
def test_each_core_runs_its_own_int8_kernels_with_the_hosts_outputs(emulator, models, core):
    result = count(emulator, core, models / "int8.tflite")
    assert [output["equals_host"] for output in result.outputs] == [True]
    (kernel,) = [name for name in result.instruction_kernels if "igemm" in name]
    expected = {
        "cortex-a53": "neon_mlal_lane_cortex_a53",
        "cortex-a55": "neondot_cortex_a55",
        "cortex-a72": "neon_mlal",
        "cortex-a76": "neondot_ld128",
        "neoverse-n1": "neondot_ld128",
    }
    assert kernel.startswith("xnn_qs8_qc8w_igemm") and expected[core] in kernel
    assert result.instruction_kernels[kernel] > 0.5 * result.instructions


def test_other_int8_outputs_than_the_hosts_are_an_error(emulator, models, monkeypatch):
    prepare = instruction_counter.prepare_models

    def wrong(*arguments):
        prepared = prepare(*arguments)
        content = bytearray(prepared[0].expected[0].read_bytes())
        content[7] ^= 1
        prepared[0].expected[0].write_bytes(content)
        return prepared

    monkeypatch.setattr(instruction_counter, "prepare_models", wrong)
    with pytest.raises(DeviceError, match="other int8 outputs than this machine"):
        count(emulator, "cortex-a72", models / "int8.tflite")
    result = count(emulator, "cortex-a72", models / "float32.tflite")  # may differ, and says so
    assert [output["equals_host"] for output in result.outputs] == [False]


def test_without_plugins_it_runs_without_counts_and_says_so(
    emulator, models, tmp_path, monkeypatch
):
    shutil.copytree(emulator.folder / "downloads", tmp_path / "downloads")
    monkeypatch.setattr("android_bench.emulated.setup._takes_plugins", lambda qemu: False)
    with pytest.warns(UserWarning, match="takes no plugins"):
        without = setup_emulator(tmp_path, progress=False)
    assert without.can_count is find_emulator(tmp_path).can_count is False
    result = count(without, "cortex-a72", models / "int8.tflite")
    assert result.instructions is None and result.outputs[0]["equals_host"]
    validate_row(result.to_dict())


def test_more_than_one_thread_is_refused(emulator, models):
    with pytest.raises(
        ValueError,
        match="num_threads=2 does not fit.*one thread only; allowed is 1",
    ):
        count(emulator, "cortex-a72", models / "int8.tflite", num_threads=2)


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("cut", ValueError, "cut.tflite"),
        ("crashing", DeviceError, "crashed the interpreter"),
        ("endless", DeviceError, "no end within 3 s"),
    ],
)
def test_a_bad_model_gives_one_line_and_leaves_no_files(emulator, models, name, error, said):
    with Emulated("cortex-a72", emulator) as device:
        with pytest.raises(error, match=said) as told:
            benchmark(models / f"{name}.tflite", device, timeout=3)
        assert "\n" not in str(told.value)
        assert list(device.folder.iterdir()) == []
    assert not device.folder.exists()


def test_a_cut_file_of_counts_is_an_error(tmp_path):
    for text in ("", "run 1 2 3\n", "run 1 2 3 4\nblock 4096 1 0 0", "run 1 2 x 4\n"):
        (tmp_path / "counts").write_text(text)
        with pytest.raises(DeviceError, match="counter"):
            Counts.read(tmp_path / "counts")


def test_the_worker_counts_as_the_runner_does_where_no_cross_compiler_is(
    emulator, models, tmp_path, need
):
    need("mmdebstrap", "mmdebstrap")
    path = models / "int8.tflite"
    by_runner = count(emulator, "cortex-a72", path)
    by_worker = count(setup_emulator(tmp_path, "worker", progress=False), "cortex-a72", path)
    assert by_worker.engine == "worker" and by_runner.engine == "runner"
    assert by_worker.outputs[0]["equals_host"]
    # The worker's library has symbols, the runner's was named by its code: a check of the naming.
    kernels = [{name: value for name, value in result.instruction_kernels.items()
                if name.startswith("xnn_")} for result in (by_runner, by_worker)]  # fmt: skip
    assert kernels[0] == kernels[1] and len(kernels[0]) >= 1


# --- Names ----------------------------------------------------------------------------------

SOURCE = """
extern int table[64], other(int);
int first(int x) { for (int i = 0; i < x; i++) x += table[i] * 3; return other(x) + 1; }
int second(int x) { for (int i = 0; i < x; i++) x ^= table[i] + i; return other(x) - table[2]; }
double third(double *x, int n) { double s = 1; while (n--) s = s * x[n] + 2; return s; }
"""


def test_functions_are_named_by_their_code_in_a_stripped_library(arm_gcc, tmp_path):
    (tmp_path / "code.c").write_text(SOURCE)
    (tmp_path / "data.c").write_text("int table[64] = {1}; int other(int x) { return x; }")
    (tmp_path / "more.c").write_text(
        "int more(int *x) { int s = 0; for (int i = 0; i < 999; i++) s += x[i] / 7; return s; }"
    )
    named, stripped = tmp_path / "named.so", tmp_path / "stripped.so"
    hidden = ["-shared", "-fPIC", "-fvisibility=hidden"]
    order = {named: ["code", "data"], stripped: ["more", "data", "code"]}
    for library, names in order.items():
        files = [tmp_path / f"{name}.c" for name in names]
        subprocess.run([*arm_gcc, *hidden, "-o", library, *files], check=True)
    truth = {f.name: (f.address, f.size) for f in Elf(stripped).functions()}
    subprocess.run(["aarch64-linux-gnu-strip", stripped], check=True)
    assert Elf(stripped).functions() == []

    found = name_functions(Elf(named), Elf(stripped))
    named_here = {f.name: (f.address, f.size) for f in found}
    assert {"first", "second", "third"} <= set(named_here)
    assert all(truth[name] == place for name, place in named_here.items())

    table = SymbolTable.of("stripped.so", found, Elf(stripped).base())
    table = SymbolTable.load(table.save(tmp_path / "names.json"))
    offset = truth["second"][0] - Elf(stripped).base()
    assert table.find(offset) == table.find(offset + truth["second"][1] - 4) == "second"
    assert table.find(truth["more"][0] - Elf(stripped).base()) is None
    assert table.find(10**9) is None


def test_kernels_keep_their_names_and_the_rest_is_summed_up():
    assert kernel_name("xnn_f32_gemm_minmax_ukernel_4x8__x") == "xnn_f32_gemm_minmax_ukernel_4x8__x"
    assert kernel_name("xnn_invoke_runtime") == "XNNPACK around the kernels"
    assert kernel_name("pthreadpool_parallelize_1d") == "XNNPACK around the kernels"
    assert kernel_name("_ZN6tflite8Subgraph6InvokeEv") == "LiteRT"
    assert kernel_name(None) == "LiteRT without a name"


def test_what_is_no_elf_file_is_refused(tmp_path):
    path = Path(tmp_path, "x.so")
    path.write_bytes(b"MZ" + bytes(100))
    with pytest.raises(ValueError, match=r"x\.so is no 64-bit little-endian ELF file"):
        Elf(path)
