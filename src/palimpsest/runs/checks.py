"""What can be known to be wrong before a run begins."""

from collections.abc import Sequence

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.term import Term
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.learning.devices import Machine
from palimpsest.learning.past import Past
from palimpsest.learning.plan import Plan
from palimpsest.learning.progress import Progress
from palimpsest.learning.remembering import classifier_of
from palimpsest.runs.config import Experiment
from palimpsest.sources import Part


def check_memory(plan: Plan, progress: Progress, past: Past) -> None:
    """Refuse a memory in which a class would be missing, one that is chosen by what nobody sees, and no memory where it predicts."""
    keeping = past.keeping
    keeping.check(len(plan.stream.learnt(len(plan.stream))))
    if keeping.herds and classifier_of(progress.learners) is None:
        raise RequestError(
            f"pictures are to be chosen by herding, in the features of a classifier, and what is trained is the {', '.join(progress.learners)}; "
            "legal for selection: by_task, random, reservoir."
        )
    if plan.courses[-1].predicts == "nearest_mean" and not (keeping.size or keeping.per_class):
        raise RequestError(
            f"{plan.courses[-1].name} predicts by the mean of remembered pictures, and memory_size and per_class are both 0; set one of them."
        )


def check_untold(experiment: Experiment, learners: Sequence[str], given: Denoiser | None) -> None:
    """Refuse to leave classes untold where nobody is told of any, or where the given model has no embedding for that."""
    if not experiment.diffusion.untold:
        return
    if "conditional_denoiser" not in learners:
        raise RequestError(
            f"diffusion.untold is {experiment.diffusion.untold:g}, and the {learners[-1]} is not told of classes; leave it at 0."
        )
    if given and given.null is None:
        raise RequestError(
            f"diffusion.untold is {experiment.diffusion.untold:g}, and the model in {experiment.model} has no embedding for no "
            "class; leave it at 0."
        )


def check_alone(term: Term, machine: Machine) -> None:
    """Refuse, among several processes, a source that has to be drawn by one."""
    if machine.world > 1 and getattr(term.source, "alone", False):
        raise RequestError(f"{term.name} is not for several processes; start one, without torchrun.")


def check_rows(term: Term, batch: Batch) -> None:
    """Refuse a part of the batch in which there is not a single row."""
    source = term.source
    if isinstance(source, Part) and not batch.part(source.first, source.last).size:
        raise RequestError(
            f"{term.name}: of a batch of {batch.size}, its share of {source.last - source.first:.3g} is no row at all; raise "
            "training.batch."
        )
