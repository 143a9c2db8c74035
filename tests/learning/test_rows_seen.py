"""How many rows of training data a phase sees, through whatever they are wrapped in."""

import pytest
import torch

from palimpsest.core.batch import Batch
from palimpsest.core.term import Phase, Term
from palimpsest.learning.devices import Machine
from palimpsest.learning.options import TrainingOptions
from palimpsest.learning.train import rows_an_epoch, rows_of
from palimpsest.learning.work import Descent
from palimpsest.sources import Data, Featured, Memory, Mixed, Part, Supported, Unlabelled
from palimpsest.streams.pictures import Pictures
from palimpsest.targets import Neighbours, OnParts, OwnLoss, label, true_noise


def pictures(count: int) -> Pictures:
    return Pictures(torch.zeros(count, 1, 8, 8, dtype=torch.uint8), torch.zeros(count, dtype=torch.int64))


DATA, ALL, MEMORY = Data(pictures(5)), Unlabelled(Data(pictures(20), name="unlabelled")), Memory((pictures(3),))


def seen(*terms: Term, **length: int) -> tuple[int, int]:
    phase = Phase("classifier", terms)
    options = TrainingOptions(batch=8, **length or {"steps": 3})
    found = rows_of(phase, Descent.of(phase, options, rows_an_epoch(phase)), Machine(torch.device("cpu")))
    return found["real"], found["synthetic"]


def test_three_steps_of_eight_rows_are_counted_through_what_wraps_them():
    assert seen(Term(DATA, label), Term(DATA, true_noise)) == (24, 0), "one source, whatever is asked about it"
    assert seen(Term(ALL, true_noise)) == (24, 0)
    assert seen(Term(Part(DATA, 0, 0.25), label), Term(Part(ALL, 0.25, 1), true_noise)) == (6 + 18, 0)
    assert seen(Term(Featured(DATA, torch.nn.Identity()), OwnLoss("critic"))) == (24, 0)


def test_a_picture_in_two_views_is_one_and_its_support_counts_beside_it():
    source = Supported(ALL, (DATA, MEMORY))
    assert seen(Term(source, OnParts(Neighbours((0,)), (ALL, DATA)))) == (24 + 24, 0)


def test_synthetic_rows_are_counted_apart_also_in_a_part():
    mixed = Mixed(Data(pictures(60)), Data(pictures(4), name="synthetic"), share=0.25)
    assert seen(Term(mixed, label)) == (18, 6)
    assert Part(mixed, 0, 0.5).counts(Batch(8, 0, (0,))) == (3, 1)


def test_synthetic_rows_among_the_real_ones_are_counted_to_the_row_in_whole_epochs_and_else_in_proportion():
    among = Data(pictures(20), synthetic=5)
    assert seen(Term(among, label), epochs=2) == (30, 10)
    assert seen(Term(among, label)) == (18, 6)
    assert seen(Term(Unlabelled(among), true_noise), steps=1) == (6, 2)


def test_a_short_batch_counts_as_many_as_it_has():
    assert seen(Term(ALL, true_noise), epochs=2) == (40, 0)


@pytest.mark.parametrize("source", [MEMORY, Part(MEMORY, 0, 0.5)], ids=["memory", "part"])
def test_replay_is_not_training_data_of_the_task(source):
    assert seen(Term(source, label)) == (0, 0)
