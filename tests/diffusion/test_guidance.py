"""Guidance: the gradient against finite differences, and what it does to samples."""

import pytest
import torch
from torch import nn

from palimpsest.core.errors import RequestError
from palimpsest.core.images import Images
from palimpsest.core.random import Random, generator
from palimpsest.diffusion.guidance import ByClassifier, WithoutClassifier, guided
from palimpsest.diffusion.samplers import Sampler
from tests.tiny import conditional_denoiser, tiny_denoiser


class Small(nn.Module):
    """A smooth classifier of 8×8 pictures into four classes."""

    classes = tuple("abcd")

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, 4))

    def logits(self, x):
        return self.body(x)


def double(*modules):
    return [module.double().requires_grad_(False) for module in modules]


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return make()


@pytest.mark.parametrize("kind", ["own", "others"])
def test_the_gradient_is_that_of_finite_differences(kind):
    """DDGR: ∇ ln p(y | x_t). GUIDE: ∇ ln p(likeliest other | x̂₀(x_t)), back through the denoiser."""
    classifier, denoiser = seeded(Small), seeded(lambda: tiny_denoiser(zero_terminal_snr=False))
    double(classifier, denoiser)
    guide = (
        ByClassifier(classifier, 2.0) if kind == "own" else ByClassifier(classifier, 2.0, others=(1, 3), through=True)
    )
    x = torch.randn(2, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) / 2
    y, t, process = torch.tensor([0, 2]), torch.tensor([40, 5]), denoiser.process

    def noise_of(x, t):  # in float64, which `Denoiser.noise` leaves
        return denoiser.network(x, t).sample

    def value(x):
        seen = process.clean(x, noise_of(x, t), t).clamp(-9, 9) if guide.through else x
        p = classifier.logits(seen).log_softmax(-1)
        return p[torch.arange(2), y] if kind == "own" else p[:, [1, 3]].amax(1)

    bent = guided(noise_of, process, guide, y, 9.0)(x, t)
    gradient = (noise_of(x, t) - bent) / (2.0 * process.levels(t)[1])
    for row, column in ((3, 4), (0, 7), (6, 1)):
        step = torch.zeros_like(x)
        step[..., row, column] = 1e-5
        expected = (value(x + step) - value(x - step)) / 2e-5
        torch.testing.assert_close(gradient[:, 0, row, column], expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("zero_terminal_snr", [True, False])
@pytest.mark.parametrize("number", range(4))
def test_guided_samples_are_likelier_what_they_are_guided_towards(number, zero_terminal_snr):
    classifier = seeded(Small).requires_grad_(False)
    denoiser = seeded(lambda: tiny_denoiser(zero_terminal_snr=zero_terminal_snr)).eval().requires_grad_(False)
    noise = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    y = torch.full((64,), number)
    guides = [
        None,
        ByClassifier(classifier, 1.0),
        ByClassifier(classifier, 1.0, others=(number,), through=True),
        ByClassifier(classifier, 0.0),
    ]
    drawn = [Sampler("ddim", 5)(denoiser, noise, y=y, guide=guide) for guide in guides]
    plain, own, others, none = (classifier.logits(x).softmax(-1).mean(0)[number] for x in drawn)
    assert own > plain and others > plain and none == plain


def test_a_classifier_in_training_guides_without_dropout_and_goes_on_training():
    classifier = seeded(lambda: Small(dropout=0.9)).train()
    guide = ByClassifier(classifier, 1.0, others=(1,), through=True)
    x, y = torch.zeros(2, 1, 8, 8), torch.zeros(2, dtype=torch.int64)
    assert torch.equal(guide.likelihood(x, y), guide.likelihood(x, y))
    assert classifier.training


def test_the_classifier_that_guides_gets_no_gradient():
    classifier, denoiser = seeded(Small), seeded(tiny_denoiser).eval().requires_grad_(False)
    Sampler("ddim", 2)(denoiser, torch.randn(2, 1, 8, 8), y=torch.tensor([0, 1]), guide=ByClassifier(classifier, 1.0))
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_without_a_classifier_what_a_class_adds_counts_so_many_times():
    """ε(∅) + s (ε(y) − ε(∅)), by hand."""
    denoiser = seeded(lambda: conditional_denoiser(2, null=True))
    x, t, y, null = torch.randn(3, 1, 8, 8), torch.tensor([40, 5, 99]), torch.tensor([0, 1, 1]), torch.full((3,), 2)
    told, untold = denoiser.noise(x, t, y), denoiser.noise(x, t, null)
    for scale in (0.0, 1.0, 3.0):
        bent = WithoutClassifier(scale).bent(denoiser, y)(x, t)
        torch.testing.assert_close(bent, untold + scale * (told - untold), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(told, untold)
    with pytest.raises(RequestError, match="learns to go without a class"):
        WithoutClassifier(2.0).bent(conditional_denoiser(2), y)


def test_so_many_pictures_are_not_told_of():
    denoiser = conditional_denoiser(2, null=True)
    denoiser.untold = 0.25
    drawn = Images(torch.zeros(400, 1, 8, 8), torch.arange(400) % 2)
    posed = denoiser.pose("noise", drawn, Random(generator("untold")))
    assert 70 < int((posed.y == 2).sum()) < 130 and torch.equal(posed.y[posed.y < 2], drawn.y[posed.y < 2])


@pytest.mark.parametrize("others", [None, (1, 3)])
def test_classes_that_the_classifier_has_not_learnt_have_no_part_in_it(others):
    """Their logits have never had a gradient, and may be anything."""
    classifier = seeded(Small).requires_grad_(False)
    guide = ByClassifier(classifier, known=(1, 2, 3), others=others)
    x, y = torch.randn(3, 1, 8, 8), torch.tensor([1, 2, 3])
    before = guide.likelihood(x, y)
    classifier.body[-1].bias[0] += 7
    torch.testing.assert_close(guide.likelihood(x, y), before)
    classifier.body[-1].bias[1] += 7
    assert not torch.allclose(guide.likelihood(x, y), before)


def test_what_cannot_guide_is_refused():
    with pytest.raises(
        RequestError, match="guidance towards class 7 was asked of a classifier that knows the classes 0, 1, 2, 3"
    ):
        ByClassifier(Small(), others=(1, 7))
    for known in ((9,), (-1, 0)):  # towards the pictures' own class, too
        with pytest.raises(RequestError, match=f"guidance towards class {known[0]} was asked of a classifier"):
            ByClassifier(Small(), known=known, others=None)
    with pytest.raises(RequestError, match="none was named"):
        ByClassifier(Small(), others=())
    with pytest.raises(RequestError, match="the scale of guidance is -1"):
        ByClassifier(Small(), -1.0)
