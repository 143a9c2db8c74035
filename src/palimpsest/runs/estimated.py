"""What a run would cost, as numbers and for people."""

from dataclasses import dataclass

from rich.table import Table

from palimpsest.core.files import megabytes


@dataclass(frozen=True)
class Estimate:
    """What a run would cost. passes as in results.json; flops of all passes; seconds of training and of evaluation.

    drawing_seconds: of synthetic pictures that a model draws before training, as far as they are missing; neither its passes nor its
        memory are counted.
    evaluator_seconds: of the training of the stream's evaluator, where it is needed and not there yet.
    classifier_passes, classifier_seconds: of the classifier beside the generator, counted apart.
    ahead_bytes: of memory_bytes, what one source's samples take while they are drawn ahead, at the most.
    """

    experiment: str
    strategy: str
    parameters: int
    steps: int
    student_passes: float
    teacher_passes: float
    classifier_passes: float
    flops: float
    memory_bytes: int
    ahead_bytes: int
    training_seconds: float
    classifier_seconds: float
    evaluation_seconds: float
    drawing_seconds: float
    evaluator_seconds: float

    @property
    def hours(self) -> float:
        """All of it."""
        learning = self.training_seconds + self.classifier_seconds
        return (learning + self.evaluation_seconds + self.drawing_seconds + self.evaluator_seconds) / 3600

    def table(self) -> Table:
        """For people."""
        made = Table(title=f"{self.experiment}, {self.strategy}", title_justify="left", show_header=False, box=None)
        rows: dict[str, str | bool] = {  # false: not a row of this run
            "parameters": f"{self.parameters:,}",
            "optimizer steps": f"{self.steps:,}",
            "student passes": f"{self.student_passes:,.0f} pictures (a backward counts 2)",
            "teacher passes": f"{self.teacher_passes:,.0f} pictures",
            "classifier beside it": self.classifier_seconds > 0
            and f"{self.classifier_passes:,.0f} pictures, {in_hours(self.classifier_seconds)}",
            "FLOPs of all passes": f"{self.flops:.3g}",
            "peak memory": megabytes(self.memory_bytes),
            "samples drawn ahead": self.ahead_bytes > 0 and f"up to {megabytes(self.ahead_bytes)} of it",
            "synthetic pictures": self.drawing_seconds > 0 and in_hours(self.drawing_seconds),
            "evaluator, once": self.evaluator_seconds > 0 and in_hours(self.evaluator_seconds),
            "training": in_hours(self.training_seconds),
            "evaluation": in_hours(self.evaluation_seconds),
            "all": f"{self.hours:.3f} h",
        }
        for name, value in rows.items():
            if value:
                made.add_row(name, value)
        return made


def in_hours(seconds: float) -> str:
    """Such as "0.043 h (155 s)"."""
    return f"{seconds / 3600:.3f} h ({seconds:,.0f} s)"
