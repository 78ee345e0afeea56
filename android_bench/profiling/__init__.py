"""Where an inference spends its time: by op, by kernel, by layer.

`profile_ops` asks LiteRT's own profiler on this machine, `profile_instructions` counts instructions
on an emulated core, `read_op_csv` reads `benchmark_model --enable_op_profiling` output; all
return an `OpProfile`.
"""

from android_bench.errors import ProfilerUnavailable
from android_bench.profiling.op_csv import parse_op_csv, read_op_csv
from android_bench.profiling.profile import OpProfile, ProfiledOp
from android_bench.profiling.profilers import profile_instructions, profile_ops

__all__ = [
    "OpProfile",
    "ProfiledOp",
    "ProfilerUnavailable",
    "parse_op_csv",
    "profile_instructions",
    "profile_ops",
    "read_op_csv",
]
