"""What is installed, what is missing, and what that means."""

import os
from importlib.util import find_spec
from pathlib import Path

from rich.table import Table

from palimpsest.core.files import cache_root
from palimpsest.runs.environment import installed

NEEDED = ("torch", "diffusers", "accelerate", "safetensors", "numpy", "pyarrow", "pillow", "scikit-learn", "pydantic")
EXTRAS = {
    "transformers": ("text-to-image", "pictures from a text-to-image model (palimpsest synthesize)"),
    "datasets": ("hub", "data sets by name from the hub (--set stream.name=hub:owner/name)"),
    "torch_fidelity": ("fid", "Inception-v3's features (--set evaluation.extractor=inception)"),
    "tensorboard": ("tensorboard", "losses and measures in TensorBoard (--set engine.tracker=tensorboard)"),
    "wandb": ("wandb", "the same in Weights & Biases (--set engine.tracker=wandb)"),
}


def findings() -> Table:
    """One line a fact."""
    made = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True)
    made.add_column(no_wrap=True, style="cyan")
    made.add_column()
    for mark, name, meaning in (*packages(), *extras(), *devices(), *places()):
        made.add_row({True: "[green]ok[/green]", False: "[yellow]--[/yellow]"}[mark], name, meaning)
    return made


def packages() -> list[tuple[bool, str, str]]:
    """What palimpsest cannot work without."""
    return [(bool(v := installed(name)), name, v or "missing: pip install palimpsest brings it") for name in NEEDED]


def extras() -> list[tuple[bool, str, str]]:
    """What some things need."""
    found = []
    for name, (extra, use) in EXTRAS.items():
        there = find_spec(name) is not None
        how = f"; pip install 'palimpsest\\[{extra}]'" if extra and not there else ""
        found.append((there or not extra, name, f"{installed(name) or 'not installed'}: for {use}{how}"))
    return found


def devices() -> list[tuple[bool, str, str]]:
    """Where it would compute."""
    import torch

    from palimpsest.learning.devices import find_device

    cuda = torch.cuda.is_available()
    names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    able = getattr(torch.cpu, "get_capabilities", dict)()
    bf16 = able.get("amx_bf16") or able.get("avx512_bf16") or cuda
    return [
        (True, "device", f"auto means {find_device('auto')} here"),
        (cuda, "cuda", names if cuda else "none found: training uses the CPU unless this is a Mac"),
        (True, "threads", f"{torch.get_num_threads()} of {os.cpu_count()} cores (--set engine.threads=N)"),
        (
            bool(bf16),
            "bf16",
            "the processor has it (--precision bf16)" if bf16 else "this CPU only imitates it, slower than fp32",
        ),
    ]


def places() -> list[tuple[bool, str, str]]:
    """Where data sets and the cache lie."""
    data, where = os.environ.get("PALIMPSEST_DATA", ""), cache_root()
    sets = sorted(path.name for path in Path(data).iterdir() if path.is_dir()) if data and Path(data).is_dir() else []
    without = "not set or no folder: data sets are found by --set stream.path=, digits needs none"
    return [
        (bool(sets), "PALIMPSEST_DATA", f"{data}: {', '.join(sets)}" if sets else without),
        (
            os.access(next(p for p in (where, *where.parents) if p.exists()), os.W_OK),
            "cache",
            f"{where} (PALIMPSEST_CACHE)",
        ),
    ]
