"""What each measure is, in words. Read by `palimpsest list measures` and by the tables; imports no torch."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

LONG = "_long"  # a measure of generation, taken again under the long sampler


@dataclass(frozen=True)
class Measure:
    """One number of a run: its name in results.json, its unit, which way is better ("" for an error), what it says, and
    which pictures it is taken over."""

    name: str
    unit: str
    better: Literal["lower", "higher", ""]
    description: str
    taken_over: str

    @property
    def direction(self) -> str:
        return f"{self.better} is better" if self.better else "an error, not a score"

    @property
    def arrow(self) -> str:
        return {"lower": " ↓", "higher": " ↑", "": ""}[self.better].strip()


SAMPLES = "all samples (evaluation.samples) and all reference pictures of the tasks seen (evaluation.reference)"
OWN = "evaluation.kept samples of a given model, and as many of the taught one; features of the given model"
COPIES = "at most evaluation.memorisation samples and as many test pictures; all training pictures of the tasks seen"
TESTS = "all test pictures of the tasks seen"


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure(
            "fid",
            "squared feature distance",
            "lower",
            "Fréchet distance between the extractor's features of samples and of real pictures of the classes seen.",
            SAMPLES,
        ),
        Measure(
            "kid",
            "squared MMD",
            "lower",
            "Kernel distance (squared MMD) of the features that fid compares; unbiased, so at times slightly negative.",
            SAMPLES,
        ),
        Measure(
            "kid_se",
            "squared MMD",
            "",
            "Standard error of kid (jackknife): how far kid moves with other samples, not a score by itself.",
            SAMPLES,
        ),
        Measure(
            "precision",
            "share of samples",
            "higher",
            "Share of the samples within the nearest neighbours' reach of a real picture's features.",
            SAMPLES,
        ),
        Measure(
            "recall",
            "share of real pictures",
            "higher",
            "Share of the real pictures within the nearest neighbours' reach of a sample's features.",
            SAMPLES,
        ),
        Measure(
            "density",
            "ratio to the expected number",
            "higher",
            "How many real neighbourhoods a sample lies in, over the number expected of real pictures, so 1 is right.",
            SAMPLES,
        ),
        Measure(
            "coverage",
            "share of real pictures",
            "higher",
            "Share of the real pictures' neighbourhoods that hold at least one sample.",
            SAMPLES,
        ),
        Measure(
            "kld",
            "nats",
            "lower",
            "KL divergence of the samples' class frequencies (by the evaluator) from those of the classes seen.",
            SAMPLES,
        ),
        Measure(
            "total_variation",
            "share of samples",
            "lower",
            "Share of the samples that would have to change class for the class frequencies to be right.",
            SAMPLES,
        ),
        Measure(
            "memorisation",
            "share of samples",
            "lower",
            "Share of samples as near to a training picture as the nearest 1 % of held-out pictures; 0.01 is expected.",
            COPIES,
        ),
        Measure(
            "memorisation_se",
            "share of samples",
            "",
            "Standard error of memorisation where nothing is memorised: how far it moves with other pictures.",
            COPIES,
        ),
        Measure(
            "coverage_old",
            "share of the given model's samples",
            "higher",
            "Share of the given model's own samples near which the taught one still makes something; kept says what to expect.",
            OWN,
        ),
        Measure(
            "density_old",
            "ratio to the given model's",
            "higher",
            "How thickly the samples lie where the given model's own lie: 1 is as before, and 0.5 where half of them show the new.",
            OWN,
        ),
        Measure(
            "accuracy",
            "share of test pictures",
            "higher",
            "Share of the test pictures of the classes seen that the continually trained classifier labels rightly.",
            TESTS,
        ),
        Measure(
            "average_incremental_accuracy",
            "share of test pictures",
            "higher",
            "Mean over all tasks of the accuracy after each, on the classes seen by then.",
            TESTS,
        ),
        Measure(
            "accuracy_softmax",
            "share of test pictures",
            "higher",
            "Accuracy of the classifier's last layer, where the strategy or its memory offers another way to predict, too.",
            TESTS,
        ),
        Measure(
            "accuracy_nearest_mean",
            "share of test pictures",
            "higher",
            "Accuracy of the class whose remembered pictures lie nearest in the mean of the classifier's features.",
            TESTS,
        ),
        Measure(
            "accuracy_old",
            "share of test pictures",
            "higher",
            "Share of the test pictures of earlier tasks' classes that are labelled rightly.",
            TESTS,
        ),
        Measure(
            "accuracy_new",
            "share of test pictures",
            "higher",
            "Share of the test pictures of the task's own classes that are labelled rightly.",
            TESTS,
        ),
        Measure(
            "accuracy_probe",
            "share of test pictures",
            "higher",
            "Share of the test pictures that a linear classifier on the generator's own features labels rightly.",
            f"{TESTS}; evaluation.probe of their training pictures",
        ),
        Measure(
            "last_accuracy",
            "share of test pictures",
            "higher",
            "Accuracy after the last task, over the test pictures of all tasks.",
            TESTS,
        ),
        Measure(
            "average_incremental_accuracy_softmax",
            "share of test pictures",
            "higher",
            "The average incremental accuracy by the classifier's last layer.",
            TESTS,
        ),
        Measure(
            "average_incremental_accuracy_nearest_mean",
            "share of test pictures",
            "higher",
            "The average incremental accuracy by the class whose remembered pictures lie nearest in the mean.",
            TESTS,
        ),
        Measure(
            "forgetting",
            "share of test pictures",
            "lower",
            "Mean fall of a task's accuracy from its best after an earlier task to that after the last one.",
            TESTS,
        ),
        Measure(
            "base_forgetting",
            "share of test pictures",
            "lower",
            "Fall of the accuracy on the first task's test pictures from after the first task to after the last one.",
            TESTS,
        ),
        Measure(
            "backward_transfer",
            "share of test pictures",
            "higher",
            "Mean change of a task's accuracy from its own task to the last one; negative where it was forgotten.",
            TESTS,
        ),
    )
}


def find(name: str) -> Measure | None:
    """The entry that describes `name`, also under the long sampler ("fid_long"); None for a measure not listed."""
    return MEASURES.get(name.removesuffix(LONG))


def in_order(names: Iterable[str]) -> list[str]:
    """Names as the tables show them: in the catalog's order, the long sampler's after all others, unlisted ones last."""
    places = {name: place for place, name in enumerate(MEASURES)}

    def key(name: str) -> tuple[bool, bool, int, str]:
        plain = name.removesuffix(LONG)
        return plain not in places, name != plain, places.get(plain, 0), name

    return sorted(set(names), key=key)
