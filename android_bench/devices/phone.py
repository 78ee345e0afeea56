"""What an Android phone tells about itself through its shell: facts, frequencies, temperatures."""

from dataclasses import dataclass
from typing import Any

from android_bench import worker

# Prints "name=value" lines; what a phone does not let the shell read is left out. The CPU's
# description follows as it is.
SCRIPT = """
for name in ro.product.manufacturer ro.product.model ro.build.version.release ro.soc.model; do
    echo "$name=$(getprop $name 2>/dev/null)"
done
echo "machine=$(uname -m)"
echo "kernel=$(uname -r)"
for file in /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor \
    /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq \
    /sys/devices/system/cpu/cpu[0-9]*/cpufreq/cpuinfo_max_freq; do
    value=$(cat "$file" 2>/dev/null) && echo "$file=$value"
done
for zone in /sys/class/thermal/thermal_zone[0-9]*; do
    value=$(cat "$zone/temp" 2>/dev/null) && echo "$zone=$(cat "$zone/type" 2>/dev/null) $value"
done
cat /proc/cpuinfo 2>/dev/null
"""

#: Degrees Celsius from which a zone counts as hot, by a part of its name. Phones slow down when
#: their skin has about 40 degrees; a working core may be hotter than that.
HOT = {"skin": 42.0, "battery": 42.0, "cpu": 70.0, "soc": 70.0, "tsens": 70.0}


@dataclass(frozen=True)
class Phone:
    """A phone's facts at one time."""

    machine: str  # "aarch64", "armv7l", "armv8l" (a 32-bit shell on a 64-bit core), "x86_64"
    facts: dict[str, Any]
    state: dict[str, Any]
    max_frequencies: dict[int, int]  # kHz, by CPU

    def big_cores(self) -> str | None:
        """Return the mask of the CPUs with the highest maximum frequency, None where unknown."""
        top = max(self.max_frequencies.values(), default=None)
        if top is None:
            return None
        return hex(sum(1 << cpu for cpu, speed in self.max_frequencies.items() if speed == top))

    def hot_zones(self) -> dict[str, float]:
        """Return the zones that count as hot (see `HOT`), with their temperatures."""
        return {
            name: degrees
            for name, degrees in self.state["temperatures_c"].items()
            if any(part in name.lower() and degrees >= limit for part, limit in HOT.items())
        }


def parse_phone(text: str) -> Phone:
    """Read what `SCRIPT` printed; what is missing stays None or empty."""
    values, governors, frequencies, limits, temperatures = {}, [], {}, {}, {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        value = value.strip()
        if not equals or not value:
            continue
        if name.startswith("/sys/devices/system/cpu/cpu"):
            cpu, kind = int(name.split("/")[5][3:]), name.rpartition("/")[2]
            if kind == "scaling_governor" and value not in governors:
                governors.append(value)
            elif kind == "scaling_cur_freq" and value.isdigit():
                frequencies[str(cpu)] = int(value) // 1000
            elif kind == "cpuinfo_max_freq" and value.isdigit():
                limits[cpu] = int(value)
        elif name.startswith("/sys/class/thermal/"):
            kind, _, number = value.rpartition(" ")
            degrees = _degrees(number)
            if degrees is not None:
                temperatures[f"{name.rpartition('thermal_zone')[2]}:{kind or 'unknown'}"] = degrees
        else:
            values[name.strip()] = value
    machine = values.get("machine", "")
    release = values.get("ro.build.version.release")
    maker = (values.get("ro.product.manufacturer"), values.get("ro.product.model"))
    system = f"Android {release}" if release else "Linux"
    return Phone(
        machine=machine,
        facts={
            "os": f"{system} (kernel {values.get('kernel', 'unknown')})",
            "cpu": values.get("ro.soc.model") or " ".join(filter(None, maker)) or machine or None,
            "phone": " ".join(filter(None, maker)) or None,
            "architecture": machine or None,
            "core": worker.core_name(text),
        },
        state={
            "governor": "+".join(governors) or None,
            "frequencies_mhz": frequencies,
            "temperatures_c": temperatures,
        },
        max_frequencies=limits,
    )


def _degrees(number: str) -> float | None:
    """Return a zone's reading in degrees Celsius; phones write thousandths, tenths or degrees."""
    if not number.lstrip("-").isdigit():
        return None
    value = int(number)
    degrees = value / 1000 if abs(value) >= 1000 else value / 10 if abs(value) > 150 else value
    # A sensor that is off reads an impossible value.
    return degrees if -40 < degrees < 150 and value else None
