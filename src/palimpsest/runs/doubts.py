"""What is not wrong, and worth a warning before training."""

from collections.abc import Iterator

from palimpsest.core.files import megabytes
from palimpsest.measuring.measurer import Measurer
from palimpsest.runs.assembly import Assembly


def doubts_of(assembly: Assembly, measurer: Measurer, again: bool) -> Iterator[str]:
    """What is worth a warning before training. again: the run goes on, and has heard of the rest."""
    if assembly.stream.skipped:
        yield f"{assembly.stream.skipped} bad pictures were left out"
    if again:
        return
    yield from assembly.doubts
    if idle := assembly.experiment.synthetic.idle:
        yield f"synthetic.{idle[0]} is set, and changes nothing where synthetic.source is none"
    mixing = assembly.plan.courses[-1].mixing
    for doubt in (measurer.yardstick.doubt, mixing.doubt if mixing else ""):
        if doubt:
            yield doubt
    if assembly.step_bytes > assembly.machine.memory / 2:
        yield (
            f"a step takes {megabytes(assembly.step_bytes)} at the least, of {megabytes(assembly.machine.memory)} that there are; lower "
            "training.batch where it gets slow or fails"
        )
