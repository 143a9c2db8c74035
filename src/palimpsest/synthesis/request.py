"""What may be asked of `palimpsest synthesize`."""

import math
from dataclasses import dataclass

from palimpsest.core.errors import RequestError, unknown

MODEL = "CompVis/stable-diffusion-v1-4"
PRECISIONS = ("auto", "fp32", "fp16", "bf16")
LEAST = {"count": 1, "seed": 0, "steps": 1, "batch": 1, "retries": 0, "size": 0}


@dataclass(frozen=True)
class Request:
    """A set of pictures that is asked for. Raises RequestError for numbers that cannot be.

    model: a folder or a name on the hub.  prompts: a file, or the name of one that is included.
    count: pictures of each class.  guidance: None: 2 for a text-to-image model, none for one that is told of classes.
    size: pixels a side of what is stored; 0: as the model draws it; None: 32, or the model's own size where that is less.
    batch: pictures drawn at once, which decides their last bits.  sampler: "" leaves the model's own.
    template: "" is the usual one.  classes: names of those that are wanted; all where none is named.
    retries: how often a picture that the safety checker flags is drawn again.
    """

    model: str = MODEL
    prompts: str = ""
    count: int = 500
    seed: int = 0
    steps: int = 50
    guidance: float | None = None
    size: int | None = None
    batch: int = 8
    sampler: str = ""
    revision: str = ""
    template: str = ""
    negative: str = ""
    wordnet: str = ""
    classes: tuple[str, ...] = ()
    device: str = "auto"
    precision: str = "auto"
    retries: int = 10
    safety_checker: bool = True

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise RequestError(f"--{name} is {value}, and it is a whole number from {least}.")
        if self.seed >= 2**63:
            raise RequestError(f"--seed is {self.seed}, and it is a whole number from 0 to 2⁶³ − 1.")
        if self.guidance is not None and not 0 <= self.guidance < math.inf:
            raise RequestError(f"--guidance is {self.guidance:g}, and it is a number from 0.")
        if self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)
