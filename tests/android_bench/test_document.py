import pytest

from android_bench import DeviceError
from android_bench.devices.local import Completed
from android_bench.document import read_document


def test_the_document_is_the_last_line_whatever_was_printed_before_it():
    completed = Completed(0, 'Welcome to the board!\n{"models": []}\n', "")
    assert read_document(completed, "host") == {"models": []}


@pytest.mark.parametrize("printed", ['{"models": [{"init', "hello", "[]", "", '{"facts": {}}'])
def test_output_that_is_cut_or_foreign_is_refused_in_one_line(printed):
    with pytest.raises(DeviceError, match="cut or no JSON") as caught:
        read_document(Completed(0, printed, "INFO: delegate\nlast words\n"), "ssh:pi")
    assert str(caught.value).startswith("ssh:pi: ") and "\n" not in str(caught.value)
    assert str(caught.value).endswith("[last words]")


@pytest.mark.parametrize(
    ("returncode", "meaning"),
    [
        (-9, "killed (SIGKILL)"), (137, "killed (SIGKILL)"),
        (-11, "crashed the interpreter (SIGSEGV)"), (134, "crashed the interpreter (SIGABRT)"),
        (126, "wrong architecture"), (127, "no such program"), (1, "exit code 1"),
    ],
)  # fmt: skip
def test_every_way_to_end_is_told_in_words(returncode, meaning):
    with pytest.raises(DeviceError) as caught:
        read_document(Completed(returncode, "", ""), "host")
    assert meaning in str(caught.value)
