"""What a run was made with: environment.json."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

from palimpsest.learning.devices import Machine

PACKAGES = (
    "palimpsest",
    "torch",
    "diffusers",
    "accelerate",
    "safetensors",
    "numpy",
    "pillow",
    "pyarrow",
    "scikit-learn",
)


def describe_environment(machine: Machine) -> dict:
    """Versions, device, threads, and the command line."""
    device = torch.cuda.get_device_name(machine.device) if machine.device.type == "cuda" else platform.processor()
    return {
        "versions": {"python": platform.python_version()} | {name: installed(name) for name in PACKAGES},
        "platform": platform.platform(),
        "device": machine.device.type,
        "device_name": device or platform.machine(),
        "arithmetic": machine.arithmetic,
        "processes": machine.world,
        "threads": torch.get_num_threads(),
        "command": sys.argv,
    }


def installed(package: str) -> str:
    """The version of an installed package, or "" where it is not."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
