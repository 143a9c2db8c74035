"""The folder of a task's models: what came out, in forms that open again and that others can read."""

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from palimpsest.core.errors import RequestError
from palimpsest.measuring.measurer import offering
from palimpsest.models.classifier import STEM, Classifier, open_classifier, save_classifier
from palimpsest.models.joint import Joint, save_head, with_head
from palimpsest.models.pipelines import Pipeline, open_pipeline, save_classes
from palimpsest.models.predictors import NearestMean, open_means, save_means
from palimpsest.runs.folder import open_folder


def save_learners(
    learners: Mapping[str, nn.Module], pipeline: Pipeline, learnt: Mapping[int, str], place: Path
) -> None:
    """What came out: a generator as diffusers' pipeline folder; a classifier, or a joint model's head, as two files in it.

    learnt: the names of the classes that have been learnt, by number.
    """
    if (generator := offering(learners, "noise")) is not None:
        pipeline.save(generator.network, place)
        if generator.conditional:
            save_classes(generator, learnt, place)
    for learner in learners.values():
        if isinstance(learner, Joint):
            save_head(learner, place)
        elif isinstance(learner, Classifier):
            save_classifier(learner, place)
        elif isinstance(learner, NearestMean):
            save_means(learner, offering(learners, "logits") is learner, place)


def model_of(place: Path, task: int | None) -> Path:
    """The folder of a run's model after a task, by default the last one; a folder that is itself a model."""
    if (place / "model_index.json").exists() or (place / f"{STEM}.json").exists():
        if task is not None:
            raise RequestError(f"{place} is one model and not a run, so it has no task {task}; leave --task out.")
        return place
    models = open_folder(place).models
    if task is not None and task not in models:
        raise RequestError(f"{place} has no model of task {task}; there are: {', '.join(map(str, models))}.")
    return models[max(models) if task is None else task]


def open_learners(place: Path) -> dict[str, nn.Module]:
    """The learners in a folder that `save_learners` wrote, or a lone pipeline's denoiser; by name, on the CPU, for asking."""
    found: dict[str, nn.Module] = {}
    if (place / "model_index.json").exists():
        denoiser = open_pipeline(place)[0]
        joint = with_head(denoiser, place)
        found |= {"denoiser": denoiser} if joint is None else {"joint": joint}
    if (classifier := open_classifier(place)) is not None:
        found["classifier"] = classifier
        means, own = open_means(classifier, place)
        other = {} if means is None else {"nearest_mean": means}
        found = other | found if own else found | other
    return found
