"""A strategy at work in a run: its phases in order, and what the earlier ones left behind."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from palimpsest.core.term import Phase, Strategy
from palimpsest.learning.mixing import Mixing
from palimpsest.learning.now import Now
from palimpsest.learning.past import Past
from palimpsest.learning.progress import Progress
from palimpsest.learning.taking_up import no_such, told
from palimpsest.learning.teacher import Teacher, frozen


@dataclass(frozen=True)
class Course:
    """A strategy by name, the learner that it trains where it serves any, and what it may see of the past.

    strategy: with its options filled in, (now, past) → phase.  predicts: how it says which class a picture shows.
    mixing: synthetic pictures among its data, where there are any.
    """

    name: str
    strategy: Strategy
    learner: str
    keeps: frozenset[str]
    predicts: str = "softmax"
    mixing: Mixing | None = None

    def phases(self, now: Now, past: Past) -> Phase | Iterator[Phase]:
        """What the strategy gives for the present task."""
        past = past.seen_by(self.keeps, self.learner)
        made = self.strategy(replace(now, learner=self.learner), past)
        return made if self.mixing is None else self.mixing.into(made, past, now.classes)


def phases(courses: Sequence[Course], now: Now, progress: Progress) -> Iterator[Phase]:
    """The phases still to be trained, course by course.

    A generator of phases is told what each one left behind, as a frozen learner; those that were finished before an
    interruption answer from the checkpoint. A strategy of one phase asks for nothing, and nothing is kept for it.
    """
    number = 0
    for course in courses:
        made = course.phases(now, progress.past)
        asks = not isinstance(made, Phase)
        remaining, left = made if asks else alone(made), None
        while True:
            try:
                phase = remaining.send(left)
            except StopIteration:
                if asks and progress.finished:  # what its last phase left behind, nobody asks for
                    progress.finished[-1] = (progress.finished[-1][0], Teacher())
                break
            if number == len(progress.finished):
                yield phase
                left_behind = left_by(phase, course, progress) if asks else Teacher()
                progress.finished.append((phase.learner, left_behind))
                progress.phase, progress.step = progress.phase + 1, 0
            elif (then := progress.finished[number][0]) != phase.learner:
                raise no_such(progress, f"after a phase of the {then}", f"one of the {phase.learner}")
            left, number = progress.finished[number][1], number + 1
    if progress.hand:
        raise no_such(progress, f"in {told(progress.hand)}", "no such phase")


def left_by(phase: Phase, course: Course, progress: Progress) -> Teacher:
    """What a phase leaves behind: the learner, or both its weights where the strategy keeps both; nothing in mid-descent."""
    if not phase.ends_descent:
        return Teacher()
    name = phase.learner
    if "average" in course.keeps:
        return frozen(progress.learners[name], progress.averaged.get(name))
    return frozen(progress.best[name])


def alone(phase: Phase) -> Iterator[Phase]:
    """A strategy of one phase as one of several."""
    yield phase
