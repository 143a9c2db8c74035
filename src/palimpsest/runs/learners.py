"""The learners of a run, untrained: what an experiment and a stream make of a name."""

from collections.abc import Callable, Mapping, Sequence

from torch import nn

from palimpsest.core.errors import RequestError
from palimpsest.diffusion.denoiser import Denoiser
from palimpsest.diffusion.process import make_process
from palimpsest.models.classifier import Classifier, build_classifier
from palimpsest.models.feature_gan import FeatureGAN, build_feature_gan
from palimpsest.models.joint import Joint, build_joint
from palimpsest.models.options import ClassifierOptions, FeatureGANOptions
from palimpsest.models.unet import build_unet
from palimpsest.runs.config import Experiment
from palimpsest.streams.stream import Stream

PROXIES = 10  # rows of each class (Douillard et al. 2020, PODNet)


def build_learners(
    names: Sequence[str], experiment: Experiment, stream: Stream, given: Mapping[str, nn.Module]
) -> dict[str, nn.Module]:
    """The learners that a strategy trains: those that are given, and new ones. A learner that nobody builds is refused."""
    learners = {name: given.get(name) or build_learner(name, experiment, stream) for name in names}
    for learner in learners.values():
        check_shape(learner, stream)
    return learners


def build_learner(name: str, experiment: Experiment, stream: Stream) -> nn.Module:
    """A learner with its initial weights."""
    if name not in BUILDERS:
        raise RequestError(
            f'strategy {experiment.strategy.name} trains the learner "{name}"; legal: {", ".join(BUILDERS)}.'
        )
    return BUILDERS[name](experiment, stream)


def new_denoiser(experiment: Experiment, stream: Stream, classes: int = 0) -> Denoiser:
    """An untrained denoiser for the stream's pictures; one that is told of `classes`, where there are any.

    Where it is to do without now and then, it has one more embedding, the last, for no class.
    """
    options = experiment.diffusion
    goes_without = bool(classes and options.untold)
    return Denoiser(
        build_unet(experiment.denoiser, stream.shape, experiment.seed, classes + goes_without),
        make_process(options),
        stream.shape,
        predicts=options.predicts,
        clip_range=options.clamp,
        told_of=tuple(range(classes)),
        null=classes if goes_without else None,
        untold=options.untold if goes_without else 0.0,
    )


def new_conditional_denoiser(experiment: Experiment, stream: Stream) -> Denoiser:
    """An untrained denoiser that is told of which of the stream's classes a picture is."""
    return new_denoiser(experiment, stream, len(stream.class_names))


def new_classifier(experiment: Experiment, stream: Stream) -> Classifier:
    """An untrained classifier of all the stream's classes."""
    return build_classifier(classifier_options(experiment), stream.shape, stream.class_names, experiment.seed)


def new_cosine_classifier(experiment: Experiment, stream: Stream) -> Classifier:
    """An untrained classifier that goes by directions, and whose head grows with the classes."""
    return build_classifier(classifier_options(experiment), stream.shape, stream.class_names, experiment.seed, cosine=True)


def new_proxy_classifier(experiment: Experiment, stream: Stream) -> Classifier:
    """An untrained cosine classifier with several rows of each class."""
    form = {"cosine": True, "proxies": PROXIES}
    return build_classifier(classifier_options(experiment), stream.shape, stream.class_names, experiment.seed, **form)


def new_boosted_classifier(experiment: Experiment, stream: Stream) -> Classifier:
    """An untrained classifier that may have a second backbone for a while."""
    return new_expanding_classifier(experiment, stream, 2)


def new_expanding_classifier(experiment: Experiment, stream: Stream, rooms: int = 0) -> Classifier:
    """An untrained classifier with room for so many backbones; 0: for one of each task. Its head grows with the classes."""
    rooms = rooms or len(stream)
    return build_classifier(classifier_options(experiment), stream.shape, stream.class_names, experiment.seed, rooms=rooms)


def classifier_options(experiment: Experiment) -> ClassifierOptions:
    """The network of the experiment's classifier, without how it is trained."""
    return ClassifierOptions(**experiment.classifier.model_dump(include=set(ClassifierOptions.model_fields)))


def new_joint(experiment: Experiment, stream: Stream) -> Joint:
    """An untrained joint model of all the stream's classes."""
    return build_joint(new_denoiser(experiment, stream), experiment.joint, stream.class_names, experiment.seed)


def new_feature_gan(experiment: Experiment, stream: Stream) -> FeatureGAN:
    """An untrained generator of the classifier's features, of all the stream's classes."""
    options = FeatureGANOptions(**experiment.feature_gan.model_dump(include=set(FeatureGANOptions.model_fields)))
    width, count = new_classifier(experiment, stream).width, len(stream.class_names)
    return build_feature_gan(options, width, count, stream.shape, experiment.seed)


BUILDERS: dict[str, Callable[[Experiment, Stream], nn.Module]] = {
    "denoiser": new_denoiser,
    "conditional_denoiser": new_conditional_denoiser,
    "classifier": new_classifier,
    "cosine_classifier": new_cosine_classifier,
    "proxy_classifier": new_proxy_classifier,
    "boosted_classifier": new_boosted_classifier,
    "expanding_classifier": new_expanding_classifier,
    "joint": new_joint,
    "feature_gan": new_feature_gan,
}


def check_shape(learner: nn.Module, stream: Stream) -> None:
    """Refuse a stream whose pictures are not those of the model."""
    if learner.shape != stream.shape:
        raise RequestError(
            f"the model makes pictures of shape {learner.shape} (C, H, W), and the stream has {stream.shape}; bring the "
            "stream's pictures to that shape."
        )
