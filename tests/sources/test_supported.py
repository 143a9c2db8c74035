"""Pictures beside labelled ones: one question, whose rows are asked about once whatever is asked about them."""

import pytest
import torch

from palimpsest.core.batch import Batch
from palimpsest.core.images import WEAK
from palimpsest.core.objective import objective
from palimpsest.core.term import Term
from palimpsest.models.classifier import Classifier, build_classifier
from palimpsest.models.options import ClassifierOptions
from palimpsest.sources import Data, Memory, Supported, Unlabelled
from palimpsest.sources.augment import Augmentation
from palimpsest.streams.pictures import Pictures
from palimpsest.targets import Neighbours, OnParts, TaughtNeighbours, label
from tests.tiny import SHAPE

BATCH = Batch(6, 0, (0, 2, "train 0", 0))
VIEWS = (("logits", Augmentation(("cutout 3",))), (WEAK, Augmentation(("flip",))))


def pictures(count: int, *classes: int) -> Pictures:
    pixels = torch.randint(256, (count, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(count))
    return Pictures(pixels, torch.tensor(classes).repeat(count)[:count])


QUERIES = Unlabelled(Data(pictures(20, 2, 3), name="unlabelled", views=VIEWS))
DATA, MEMORY = Data(pictures(7, 2, 3)), Memory((pictures(4, 0, 1),))


def a_classifier(seed: int) -> Classifier:
    """Without dropout and statistics of a batch, so that a row is answered alike in any company."""
    options = ClassifierOptions(network="cnn", dropout=0.0)
    return build_classifier(options, SHAPE, list("abcd"), seed).eval()


def terms(source: Supported, teacher: Classifier | None) -> list[Term]:
    return [
        Term(source, OnParts(Neighbours((2, 3)), (QUERIES, DATA))),
        Term(source, OnParts(TaughtNeighbours(teacher, (0, 1)), (QUERIES, MEMORY)), 0.2),
        Term(source, OnParts(label, (DATA,)), 0.3),
        Term(source, OnParts(label, (MEMORY,)), 0.4),
    ]


def test_each_row_goes_through_the_network_once():
    """Two views of 6 pictures, 6 labelled ones and 4 remembered ones; the teacher is not asked about those of the task."""
    student, teacher = a_classifier(0), a_classifier(1)
    objective(terms(Supported(QUERIES, (DATA, MEMORY)), teacher), student, BATCH)
    assert student.passes == 2 * 6 + 6 + 4 and teacher.passes == 2 * 6 + 4


def test_together_they_say_what_each_says_by_itself():
    """A term over its own sources alone has the same loss, and that of labels is the plain term's."""
    student, teacher = a_classifier(0), a_classifier(1)
    loss, parts = objective(terms(Supported(QUERIES, (DATA, MEMORY)), teacher), student, BATCH)
    near = terms(Supported(QUERIES, (DATA,)), teacher)[0]
    as_before = terms(Supported(QUERIES, (MEMORY,)), teacher)[1]
    alone = [near, as_before, Term(DATA, label, 0.3), Term(MEMORY, label, 0.4)]
    apart = [objective([term], student, BATCH) for term in alone]
    assert [part.item() for part in parts.values()] == pytest.approx(
        [next(iter(found.values())).item() for _, found in apart], rel=1e-5
    )
    assert loss.item() == pytest.approx(sum(each.item() for each, _ in apart), rel=1e-5)


def test_both_views_are_those_of_one_picture():
    drawn = Supported(QUERIES, (DATA,)).draw(BATCH)
    alone = QUERIES.draw(BATCH)
    assert torch.equal(drawn.x[:12], torch.cat([alone.views["logits"], alone.views[WEAK]]))
    assert (
        torch.equal(drawn.x[12:], DATA.draw(BATCH).x) and drawn.parts["data"].y.tolist() == DATA.draw(BATCH).y.tolist()
    )
    assert drawn.parts["unlabelled"].total == 6


def test_what_needs_a_part_that_is_not_there_is_absent():
    nothing = Data(pictures(0, 2))
    source = Supported(QUERIES, (DATA, Memory()))
    assert [OnParts(label, (each,)).exists for each in (DATA, Memory(), nothing)] == [True, False, False]
    assert list(source.draw(BATCH).parts) == ["unlabelled", "data"]
    left = Supported(Unlabelled(nothing), (nothing, MEMORY))
    student = a_classifier(0)
    loss, _ = objective([Term(left, OnParts(label, (MEMORY,)))], student, BATCH)
    expected, _ = objective([Term(MEMORY, label)], student, BATCH)
    assert loss.item() == pytest.approx(expected.item()) and student.passes == 8, "a round: memory alone, 4 and 4"
    assert not Supported(Unlabelled(nothing), (nothing,)).exists
