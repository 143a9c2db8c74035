"""Memory that a step frees is there for the next one."""

import os
import platform
import subprocess
import sys

import pytest

from palimpsest.learning.allocator import VARIABLES

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told anything")

# Pages that are fetched after some steps of a small network, with or without what is tested.
STEPS = """
import resource, sys, torch
from torch import nn
from palimpsest.learning.allocator import keep_freed_memory

torch.set_num_threads(1)
kept = keep_freed_memory() if sys.argv[1] == "keep" else None
def layer(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(4, outputs), nn.SiLU())
network = nn.Sequential(layer(1, 32), layer(32, 96), nn.MaxPool2d(2), layer(96, 64), nn.Upsample(scale_factor=2), layer(64, 32))
network, pictures, pages = network.to(memory_format=torch.channels_last), torch.randn(128, 1, 8, 8), []
for step in range(12):
    network(pictures).sum().backward()
    network.zero_grad()
    pages.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(kept, pages[-1] - pages[3])
"""


def told(how: str, **variables: str) -> tuple[str, int]:
    """What was answered, and the pages that were fetched."""
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", STEPS, how], capture_output=True, text=True, env=clean | variables, check=True
    )
    answer, pages = done.stdout.split()
    return answer, int(pages)


def test_later_steps_fetch_hardly_any_pages():
    (answer, kept), (_, left) = told("keep"), told("leave")
    assert answer == "True"
    assert kept < left / 5


def test_what_the_user_has_said_stays():
    assert told("keep", MALLOC_TRIM_THRESHOLD_="1000000")[0] == "False"
