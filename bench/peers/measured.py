"""What a contestant in Python tells: a line of JSON at a time, and its memory."""

import json
import re
from pathlib import Path


def say(value):
    print(json.dumps(value), flush=True)


def peak():
    """Greatest resident memory in bytes since the last call, and its greatest from now on."""
    kilobytes = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
    Path("/proc/self/clear_refs").write_text("5")
    return 1024 * kilobytes
