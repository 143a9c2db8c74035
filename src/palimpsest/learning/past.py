"""What a strategy may look at of the past: as much as it declared that it keeps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from torch import nn

from palimpsest.core.errors import RequestError
from palimpsest.core.term import Target
from palimpsest.diffusion.guidance import ByClassifier, Guide, WithoutClassifier, check_scale
from palimpsest.diffusion.samplers import Sampler
from palimpsest.learning.fisher import MEASURES
from palimpsest.learning.now import Now
from palimpsest.learning.teacher import Teacher
from palimpsest.models.classifier import see_alike
from palimpsest.models.predictors import directions
from palimpsest.sources import (
    Codes,
    Data,
    Dreams,
    FeatureDreams,
    Halfway,
    Keeping,
    Memory,
    Pool,
    Refreshed,
    Trajectories,
)
from palimpsest.streams.pictures import Readable, joined
from palimpsest.targets.weights import Importance, OldWeights


@dataclass(frozen=True)
class Past:
    """What is left of the tasks that have ended: a value, holding only what the strategy declared that it keeps.

    keeps: what was declared.  learner: the one that the experiment trains.  learners: all that are trained.
    keeping: which pictures stay in the memory.  seed: by which they are drawn.
    fisher_samples: pictures from whose gradients importance is measured.
    importances: of the weights for past tasks.
    classes, count: the classes and the number of the tasks that have ended; a given first teacher counts as one.
    """

    keeps: frozenset[str] = frozenset()
    learner: str = "denoiser"
    learners: tuple[str, ...] = ("denoiser",)
    keeping: Keeping = Keeping()
    seed: int = 0
    fisher_samples: int = 0
    importances: tuple[Importance, ...] = ()
    teachers: Mapping[str, Teacher] = field(default_factory=dict)
    remembered: Memory = field(default_factory=Memory)
    pictures: Readable | tuple = ()
    classes: tuple[int, ...] = ()
    count: int = 0

    @property
    def denoiser(self) -> Teacher:
        """The previous denoiser, whether it is told of classes or not."""
        return self.teacher("conditional_denoiser" if "conditional_denoiser" in self.learners else "denoiser")

    @property
    def joint(self) -> Teacher:
        """The previous joint model."""
        return self.teacher("joint")

    @property
    def classifier(self) -> Teacher:
        """The previous classifier."""
        return self.teacher("classifier")

    @property
    def answer(self) -> Target:
        """What the previous state of the experiment's learner says."""
        return self.teacher(self.learner).answer

    @property
    def old_weights(self) -> Target:
        """What moving the weights costs, by their importance for past tasks."""
        if not self.importance_is_kept:
            self.declared("fisher")
        return OldWeights(self.importances)

    @property
    def importance_is_kept(self) -> bool:
        """Whether it holds how much weights matter."""
        return bool(set(MEASURES) & self.keeps)

    @property
    def memory(self) -> Memory:
        """A few real pictures of each past task."""
        self.declared("memory")
        return self.remembered

    def balanced(self, now: Now, classifier: nn.Module) -> Data:
        """As many pictures of each class, old and new, as the memory will have of it, chosen by what a classifier sees."""
        self.declared("memory")
        if not (self.keeping.size or self.keeping.per_class):
            raise RequestError(
                "a balanced phase learns from remembered pictures, and none are kept; give per_class or memory_size, or set balanced_epochs "
                "to 0."
            )
        now.chosen[classifier] = self.chosen_by(classifier, now)
        return replace(now.data, pictures=now.chosen[classifier].pictures, name="balanced")

    def chosen_by(self, classifier: nn.Module | None, now: Now) -> Memory:
        """The memory once the present task has ended, by what a classifier sees; not chosen twice by the same features."""
        for other, memory in now.chosen.items():
            if classifier is not None and see_alike(classifier, other):
                return memory
        look = None if classifier is None else partial(directions, classifier)
        return self.keeping.after(self.remembered, now.data.pictures, (self.seed, now.k), look)

    @property
    def everything(self) -> Readable | tuple:
        """All pictures of all past tasks."""
        self.declared("everything")
        return self.pictures

    def teacher(self, learner: str) -> Teacher:
        """The previous state of a learner."""
        self.declared("teacher")
        if learner not in self.learners:
            raise RequestError(
                f"the strategy asks for the previous {learner}, and what is trained here is the {', '.join(self.learners)}; "
                f"choose a strategy that trains a {learner}, or one that does without."
            )
        return self.teachers.get(learner, Teacher())

    def dreams(self, steps: int, sampler: str = "ddim", reuse: int = 1, guide: Guide | None = None) -> Dreams:
        """Pictures that the previous denoiser samples, of past classes if it is told of them, each used `reuse` times.

        guide: what bends them.
        """
        classes = tuple(dict.fromkeys(self.classes)) if "conditional_denoiser" in self.learners else None
        return Dreams(self.denoiser.learner, Sampler(sampler, steps), reuse, classes, guide)

    def dreamt(self, per_class: int, steps: int, sampler: str = "ddim", reuse: int = 1) -> Dreams | Pool:
        """What the previous denoiser dreams of each past class, that many before a phase begins; as in `dreams` where it is 0.

        Raises RequestError for a number below 0, and where a set is to be used so and so often: its length and the phase's say how often.
        """
        if per_class < 0:
            raise RequestError(f"per_class is {per_class}, and it is how many dreams there are of each old class; give a number from 0.")
        if per_class and reuse != 1:
            raise RequestError(
                f"per_class is {per_class}, a set that is dreamt once, and reuse is {reuse}, yours or the experiment's, of dreams that are made "
                "as it goes; give reuse = 1 with per_class."
            )
        if not per_class:
            return self.dreams(steps, sampler, reuse)
        return Pool(self.denoiser.learner, None, tuple(dict.fromkeys(self.classes)), per_class, Sampler(sampler, steps))

    def border(
        self, steps: int, sampler: str, guidance: float, classifier: nn.Module, classes: tuple[int, ...], every: int
    ) -> Refreshed:
        """What the previous denoiser dreams of past classes, bent towards the likeliest of other `classes` by a classifier
        in training, and drawn anew every so many steps."""
        guide = None
        if guidance and classes:  # in a round there is nothing new to bend towards
            guide = ByClassifier(classifier, guidance, (*self.classes, *classes), classes, through=True)
        return Refreshed(self.dreams(steps, sampler, guide=guide), every)

    def by_classifier(self, scale: float) -> Guide | None:
        """The previous classifier as a guide towards what is asked for; None at scale 0, and before there is one."""
        check_scale(scale)
        return ByClassifier(self.classifier.learner, scale, self.classes) if scale and self.classifier.exists else None

    def without_classifier(self, scale: float) -> Guide | None:
        """The previous denoiser's own guidance; None at scale 1, where there is none, and before there is a denoiser."""
        if scale == 1 or not self.denoiser.exists:
            return None
        guide = WithoutClassifier(scale)
        guide.check(self.denoiser.learner)
        return guide

    def trajectories(self, steps: int, sampler: str = "ddim", **dials: float | bool) -> Trajectories:
        """Points on the previous denoiser's sampling paths, with what it said there; dials as in `Trajectories`."""
        return Trajectories(self.denoiser.learner, steps, sampler=sampler, **dials)

    def codes(self) -> Codes:
        """What the previous generator of features makes features of past classes of."""
        return Codes(self.teacher("feature_gan").learner, tuple(dict.fromkeys(self.classes)))

    def features(self) -> FeatureDreams:
        """Features of past classes that the previous generator of features makes."""
        return FeatureDreams(self.codes())

    def halfway(self, steps: int) -> Halfway:
        """Samples that the previous denoiser stops on the way."""
        return Halfway(self.denoiser.learner, steps)

    def declared(self, what: str) -> None:
        """Refuse to hand out what was not declared, for it has not been kept."""
        if what not in self.keeps:
            kept = ", ".join(sorted(self.keeps)) or "nothing"
            raise RequestError(
                f'the strategy asks the past for "{what}", and declared that it keeps {kept}; '
                f'add "{what}" to keeps in its @strategy(...) line.'
            )

    def seen_by(self, keeps: frozenset[str], learner: str) -> "Past":
        """The same past as one of several strategies may see it."""
        return replace(self, keeps=keeps, learner=learner)

    @property
    def unseeing(self) -> "Past":
        """The same past, which does not look at pictures to choose some: for what only counts them."""
        return replace(self, keeping=replace(self.keeping, selection="random")) if self.keeping.herds else self

    def remembering(self, now: Now, classifier: nn.Module | None = None) -> Memory:
        """The memory once the present task has ended. classifier: in whose features pictures are chosen for it."""
        if "memory" not in self.keeps or not now.data.exists:
            return self.remembered
        return replace(self.chosen_by(classifier, now), flip=now.data.flip, views=now.data.views)

    def after(
        self,
        now: Now,
        memory: Memory,
        teachers: Callable[[], Mapping[str, Teacher]],
        importance: Callable[[str], Importance] | None,
    ) -> "Past":
        """The past once the present task has ended.

        memory: what is remembered from now on.  teachers: makes those that teach from now on.  importance: measures one of that
            kind; None: of no use any more. They are called if it is kept.
        """
        classes = tuple(dict.fromkeys(self.classes + now.classes))
        past = replace(self, classes=classes, count=self.count + 1, remembered=memory)
        if "teacher" in self.keeps:
            past = replace(past, teachers=teachers())
        for kind in set(MEASURES) & self.keeps if importance else ():
            past = replace(past, importances=importance(kind).and_of(self.importances))
        return past

    def with_everything(self, tasks: Sequence[Readable]) -> "Past":
        """The same past, with all pictures of these tasks, if that is what it keeps."""
        return replace(self, pictures=joined(tasks)) if tasks and "everything" in self.keeps else self
