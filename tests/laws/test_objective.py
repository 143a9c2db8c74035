"""The algebra: a sum of terms is one forward pass, and each of its rules holds."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest
import torch
from torch import nn

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images, Noised
from palimpsest.core.objective import objective
from palimpsest.core.term import IMAGES, LABELS, NOISED, TRUE_NOISE, Phase, Term
from palimpsest.diffusion.samplers import Sampler
from palimpsest.learning.past import Past
from palimpsest.learning.teacher import Teacher, frozen
from palimpsest.sources import Data, Dreams, Gaussian, Halfway, Memory
from palimpsest.streams.pictures import Pictures
from palimpsest.targets import Soft, TaughtNoise, label, true_noise
from tests.tiny import SHAPE, tiny_denoiser

BATCH = Batch(6, 0, (0, 1, "train 0", 0))


class TwoHeads(nn.Module):
    """A joint learner: a denoiser, and a classifier on the clean picture."""

    head, heads = "noise", ("noise", "logits")

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.denoiser, self.calls = tiny_denoiser(seed), []
        torch.manual_seed(seed)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def pose(self, head, drawn, random):
        return self.denoiser.pose(head, drawn, random) if head == "noise" else drawn.seen_by(head)

    def forward(self, questions):
        self.calls.append({head: len(question) for head, question in questions.items()})
        answers = {}
        if "noise" in questions:
            answers |= self.denoiser({"noise": questions["noise"]})
        if "logits" in questions:
            answers["logits"] = self.classifier(questions["logits"].x)
        return answers


@dataclass(frozen=True)
class Counted:
    """A source that counts how often it is drawn."""

    inner: object
    name: str
    draws: list = field(default_factory=list, hash=False, compare=False)

    @property
    def gives(self):
        return self.inner.gives

    exists: ClassVar[bool] = True

    def draw(self, batch):
        self.draws.append(batch)
        return self.inner.draw(batch)


def data(count: int = 20) -> Data:
    pixels = torch.randint(0, 256, (count, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    return Data(Pictures(pixels, torch.arange(count) % 10))


def six_terms(student: TwoHeads) -> list[Term]:
    teacher = tiny_denoiser(5)
    classes = frozen(TwoHeads(5)).learner
    real, dreams = data(), Dreams(teacher, Sampler("ddim", 2))
    return [
        Term(real, true_noise, 0.5),
        Term(real, label, 0.3),
        Term(dreams, TaughtNoise(teacher), 0.7),
        Term(dreams, Soft(classes), 0.2),
        Term(Gaussian(SHAPE, 100), TaughtNoise(teacher), 0.1),
        Term(Halfway(teacher, 2), TaughtNoise(teacher), 0.4),
    ]


def gradient(student: nn.Module, loss: torch.Tensor) -> torch.Tensor:
    student.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in student.parameters() if p.grad is not None])


def test_one_batched_forward_is_the_sum_of_separate_terms():
    student = TwoHeads()
    terms = six_terms(student)
    loss, parts = objective(terms, student, BATCH)
    together = gradient(student, loss)
    assert student.calls == [{"noise": 24, "logits": 12}]  # every head asked once
    apart = sum(objective([term], student, BATCH)[0] for term in terms)
    assert loss.item() == pytest.approx(apart.item(), rel=1e-5)
    assert torch.allclose(together, gradient(student, apart), atol=1e-5)
    assert list(parts) == [term.name for term in terms]


def test_a_source_named_twice_is_drawn_once_and_noised_once():
    student, source = TwoHeads(), Counted(data(), "data")
    seen = []
    target = replace(TaughtNoise(tiny_denoiser(5)), name="spy")
    terms = [Term(source, true_noise), Term(source, target), Term(source, label)]
    original = student.pose
    student.pose = lambda head, drawn, random: seen.append(head) or original(head, drawn, random)
    objective(terms, student, BATCH)
    assert len(source.draws) == 1
    assert seen == ["noise", "logits"]
    assert student.calls == [{"noise": 6, "logits": 6}]


def test_a_source_may_give_each_head_its_own_view():
    images = Images(torch.zeros(2, *SHAPE), torch.tensor([1, 2]), views={"logits": torch.ones(2, *SHAPE)})
    assert images.seen_by("logits").x.eq(1).all()
    assert images.seen_by("noise").x.eq(0).all()


def test_terms_without_weight_or_without_a_past_are_absent():
    nobody = Teacher()
    real = Counted(data(), "data")
    unread = Counted(data(), "unread")
    phase = Phase(
        "denoiser",
        [
            Term(real, true_noise, 1.0),
            Term(unread, true_noise, 0.0),
            Term(real, nobody.noise, 1.0),
            Term(Dreams(None, Sampler("ddim", 2)), true_noise, 1.0),
            Term(Memory(), true_noise, 1.0),
        ],
    )
    assert [term.name for term in phase.present] == ["data × true_noise"]
    objective(phase.present, tiny_denoiser(), BATCH)
    assert not unread.draws


def test_the_mean_over_no_samples_is_zero():
    empty = Images(torch.zeros(0, *SHAPE), torch.zeros(0, dtype=torch.int64))

    @dataclass(frozen=True)
    class Nothing:
        name: ClassVar[str] = "nothing"
        gives: ClassVar[frozenset] = frozenset({IMAGES, LABELS, TRUE_NOISE})
        exists: ClassVar[bool] = True

        def draw(self, batch):
            return empty

    student = TwoHeads()
    loss, parts = objective([Term(data(), true_noise, 1.0), Term(Nothing(), true_noise, 1.0)], student, BATCH)
    assert parts["nothing × true_noise"].item() == 0.0
    assert torch.isfinite(gradient(student, loss)).all()


def test_teacher_and_student_alike_give_no_loss_and_no_gradient():
    student = tiny_denoiser(2).eval()
    teacher = frozen(student)
    terms = [
        Term(Dreams(teacher.learner, Sampler("ddim", 2)), teacher.noise),
        Term(Gaussian(SHAPE, 100), teacher.noise),
        Term(Halfway(teacher.learner, 2), teacher.noise),
        Term(data(), teacher.noise),
    ]
    loss, _ = objective(terms, student, BATCH)
    # The student is asked about all inputs in one batch, whose bits may differ in the last place.
    assert loss.item() < 1e-9
    assert gradient(student, loss).abs().max() < 1e-5


def test_an_answer_that_travels_with_the_inputs_is_not_asked_for_again():
    teacher = tiny_denoiser(5)
    target = TaughtNoise(teacher)
    said = torch.full((2, *SHAPE), 7.0)
    question = Noised(torch.zeros(2, *SHAPE), torch.tensor([3, 4]), answers={teacher: said})
    assert target.answer(question) is said
    assert teacher.passes == 0
    other = tiny_denoiser(6)
    TaughtNoise(other).answer(question)  # another teacher's answer is no answer
    assert other.passes == 2


def test_impossible_cells_are_refused_with_a_sentence():
    teacher = tiny_denoiser()
    with pytest.raises(RequestError, match=r"gaussian × true_noise: these inputs are not noised images.*past.denoiser"):
        Term(Gaussian(SHAPE, 100), true_noise)
    with pytest.raises(RequestError, match="halfway × true_noise"):
        Term(Halfway(teacher, 2), true_noise)
    with pytest.raises(RequestError, match="dreams × label: these inputs carry no class labels"):
        Term(Dreams(teacher, Sampler("ddim", 2)), label)
    with pytest.raises(RequestError, match="gaussian × teacher.soft: these inputs are already part-way to noise"):
        Term(Gaussian(SHAPE, 100), Soft(TwoHeads()))
    assert NOISED in Gaussian.gives


def test_two_sources_of_one_name_are_refused():
    with pytest.raises(RequestError, match='two different sources are called "data"'):
        Phase("denoiser", [Term(data(), true_noise), Term(data(), true_noise)])


def test_equal_dreams_are_one_source():
    past = Past(frozenset({"teacher"}), teachers={"denoiser": frozen(tiny_denoiser())})
    assert past.dreams(2) == past.dreams(2)
    assert past.dreams(2) != past.dreams(3)


@pytest.mark.parametrize("size", [6, 7, 1])
def test_shares_of_several_processes_add_up_to_the_whole(size):
    """The mean over processes of loss and gradient is that of one process: also for short and uneven batches."""
    student = TwoHeads()
    terms = six_terms(student)
    whole = replace(BATCH, size=size)
    loss, _ = objective(terms, student, whole)
    expected = gradient(student, loss)
    losses, gradients = [], []
    for rank in range(2):
        part, _ = objective(terms, student, replace(whole, rank=rank, world=2))
        gradients.append(gradient(student, part))
        losses.append(part.item())
    assert sum(losses) / 2 == pytest.approx(loss.item(), rel=1e-5)
    assert torch.allclose(sum(gradients) / 2, expected, atol=1e-5)
