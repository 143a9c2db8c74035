"""Augmentations: what they do, by hand and beside PIL, and that each row has its own numbers."""

from functools import partial
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.core.objective import pose
from palimpsest.core.term import Term
from palimpsest.sources import Data, Memory
from palimpsest.sources import randaugment as ra
from palimpsest.sources.augment import Augmentation
from palimpsest.streams.pictures import Pictures
from palimpsest.targets import label, true_noise

WORDS = ["flip", "padded_crop 2", "resized_crop 0.5", "cutout 4", "randaugment 2 10"]


def batch(size: int = 16, step: int = 0, rank: int = 0, world: int = 1) -> Batch:
    return Batch(size, size * step, (0, 1, "train 0", step), rank=rank, world=world)


def pictures(count: int = 16, size: int = 8, channels: int = 3) -> torch.Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def view(words: str, x: torch.Tensor, where: Batch | None = None) -> torch.Tensor:
    where = where or batch(len(x))
    return Augmentation((words,))(x, where.size, partial(where.random, "data", "view", "logits"))


@pytest.mark.parametrize("words", WORDS)
def test_the_same_address_gives_the_same_view(words):
    x = pictures()
    assert torch.equal(view(words, x), view(words, x))
    assert not torch.equal(view(words, x), view(words, x, batch(16, step=1)))
    assert view(words, x).shape == x.shape and view(words, x).abs().max() <= 1 + 1e-6


@pytest.mark.parametrize("words", WORDS)
def test_two_processes_see_what_one_sees(words):
    x = pictures(15)
    parts = [view(words, x[batch(15, rank=rank, world=2).mine], batch(15, rank=rank, world=2)) for rank in (0, 1)]
    assert torch.allclose(torch.cat(parts), view(words, x, batch(15)), atol=1e-6)


def test_flips_about_half():
    x = pictures(400)
    turned = view("flip", x)
    same, other = ((turned == each).flatten(1).all(1) for each in (x, x.flip(-1)))
    assert (same | other).all() and 150 < int(other.sum()) < 250


def test_a_padded_crop_is_a_shift_with_reflected_edges():
    x = torch.arange(16.0).view(1, 1, 4, 4).expand(200, 1, 4, 4) / 8 - 1
    padded = torch.nn.functional.pad(x[:1], (1, 1, 1, 1), mode="reflect")
    windows = torch.stack([padded[0, :, i : i + 4, j : j + 4] for i in range(3) for j in range(3)])
    found = (view("padded_crop 1", x)[:, None] == windows[None]).flatten(2).all(2)
    assert (found.sum(1) == 1).all() and (found.sum(0) > 8).all(), "each of nine shifts, about as often"


def test_a_resized_crop_of_everything_is_the_picture():
    x = pictures()
    assert torch.allclose(view("resized_crop 1", x), x, atol=1e-5), "only the whole of it has all its area"


def test_a_resized_crop_is_a_part_brought_to_size():
    """Of a ramp a part is a ramp that is less steep: between half and all of its area, within the edges."""
    ramp = torch.linspace(-1, 1, 16).expand(300, 1, 16, 16)
    seen = view("resized_crop 0.5", ramp)
    wide = (seen[:, 0, 8, 12] - seen[:, 0, 8, 4]) / (ramp[:, 0, 8, 12] - ramp[:, 0, 8, 4])
    assert 0.6 < wide.min() < 0.8 and 0.95 < wide.max() < 1.01
    assert seen.min() >= -1 and seen.max() <= 1


def test_a_cutout_is_a_gray_square():
    seen = view("cutout 4", torch.ones(300, 3, 8, 8))
    gone = (seen == 0).all(1).flatten(1).sum(1)
    assert gone.max() == 16 and gone.min() >= 4 and set(seen.unique().tolist()) == {0.0, 1.0}


def as_pil(x: torch.Tensor) -> Image.Image:
    return Image.fromarray((x * 255).round().byte().permute(1, 2, 0).numpy())


LEVEL = 0.6
BESIDE_PIL = {
    "autocontrast": (ra.autocontrast, ImageOps.autocontrast),
    "equalize": (ra.equalize, ImageOps.equalize),
    "posterize": (ra.posterize, lambda picture: ImageOps.posterize(picture, 6)),
    "solarize": (ra.solarize, lambda picture: ImageOps.solarize(picture, int(0.4 * 256))),
    "brightness": (ra.brightness, lambda picture: ImageEnhance.Brightness(picture).enhance(0.59)),
    "color": (ra.color, lambda picture: ImageEnhance.Color(picture).enhance(0.59)),
    "contrast": (ra.contrast, lambda picture: ImageEnhance.Contrast(picture).enhance(0.59)),
    "sharpness": (ra.sharpness, lambda picture: ImageEnhance.Sharpness(picture).enhance(0.59)),
}


@pytest.mark.parametrize("name", BESIDE_PIL)
def test_operations_do_what_pil_does(name):
    ours, theirs = BESIDE_PIL[name]
    x = ((pictures(4, 32) * 0.8 + 1) / 2 * 255).round() / 255  # as bytes, and not of full contrast
    seen = ours(x, torch.full((4, 1, 1, 1), LEVEL))
    expected = torch.stack([torch.from_numpy(np.array(theirs(as_pil(each)))).permute(2, 0, 1) for each in x]) / 255
    off = (seen - expected).abs()
    assert off.median() <= 1.5 / 255 and (off > 3 / 255).float().mean() < 0.02


def test_pictures_are_turned_sheared_and_shifted():
    x = torch.zeros(1, 1, 9, 9)
    x[..., 4, 6] = 1.0
    *_, turn, shear_x, shear_y, shift_x, shift_y = (operation for operation, _ in ra.OPERATIONS)

    def place(operation, level: float) -> list[int]:
        return operation(x, torch.full((1, 1, 1, 1), level))[0, 0].nonzero()[0].tolist()

    assert place(shift_x, 1 / 2.7) == [4, 5] and place(shift_y, -1 / 2.7) == [5, 6], "a ninth of the width"
    assert place(shear_x, 1.0) == [4, 6] and place(shear_y, 1.0)[1] == 6 and place(shear_y, 1.0)[0] < 4
    assert place(turn, 1.0)[0] < 4 and len(ra.OPERATIONS) == 14


def test_gray_pictures_can_be_augmented():
    assert view("randaugment 2 10", pictures(64, 8, channels=1)).shape == (64, 1, 8, 8)


def test_about_half_of_the_operations_are_applied():
    x = pictures(400)
    changed = (view("randaugment 1 10", x) - x).abs().flatten(1).amax(1) > 1e-4
    assert 120 < int(changed.sum()) < 220, "half of 400, less the identity and what happens to change nothing"


def test_each_head_has_its_own_view():
    source = Data(
        Pictures((pictures() * 127 + 128).byte(), torch.zeros(16, dtype=torch.int64)),
        views=(("noise", Augmentation(("flip",))), ("logits", Augmentation(("flip", "cutout 4")))),
    )
    drawn = source.draw(batch())
    assert drawn.views.keys() == {"noise", "logits"}
    assert not torch.equal(drawn.views["noise"], drawn.views["logits"])
    assert torch.equal(drawn.seen_by("logits").x, drawn.views["logits"])


def bytes_of(count: int = 16) -> Pictures:
    return Pictures((pictures(count) * 127 + 128).byte(), torch.zeros(count, dtype=torch.int64))


VIEWS = (("noise", Augmentation(("resized_crop 0.5",))), ("logits", Augmentation(("flip", "randaugment 2 10"))))


@pytest.mark.parametrize("source", [Data(bytes_of(), views=VIEWS), Memory((bytes_of(),), views=VIEWS)])
def test_a_view_is_made_for_a_head_that_is_asked_alone_and_is_the_same_then(source):
    """Bit for bit what its address says, whoever else is asked, before or after."""
    drawn, other = source.draw(batch()), source.draw(batch())
    assert not drawn.views.made and set(drawn.views) == {"noise", "logits"} and "features" not in drawn.views
    seen = drawn.seen_by("logits").x
    assert set(drawn.views.made) == {"logits"} and drawn.seen_by("logits").x is seen
    expected = Augmentation(("flip", "randaugment 2 10"))(
        drawn.x, 16, partial(batch().random, source.name, "view", "logits")
    )
    assert torch.equal(seen, expected)
    assert torch.equal(other.seen_by("noise").x, drawn.seen_by("noise").x) and torch.equal(
        other.seen_by("logits").x, seen
    )


def test_only_views_that_a_term_asks_for_are_made():
    """A joint model's warm-up, in which the class does not count."""
    source = Data(bytes_of(), views=VIEWS)
    learner, kept = Mock(pose=lambda head, drawn, random: kept.append(drawn) or drawn.seen_by(head)), []
    pose([Term(source, true_noise)], learner, batch())
    assert set(kept[0].views.made) == {"noise"}
    pose([Term(source, true_noise), Term(source, label)], learner, batch())
    assert set(kept[-1].views.made) == {"noise", "logits"}


@pytest.mark.parametrize(
    "words",
    [
        "flap",
        "padded_crop",
        "padded_crop x",
        "cutout 0",
        "flip 1",
        "randaugment 2",
        "randaugment 2 11",
        "resized_crop 1.5",
        "padded_crop 1.5",
        "",
    ],
)
def test_what_cannot_be_read_is_refused(words):
    with pytest.raises(RequestError, match="unknown augmentation|cannot be read; write"):
        Augmentation((words,))


def test_a_margin_beyond_the_picture_is_refused():
    with pytest.raises(RequestError, match="padded_crop 8 was asked of pictures of 8×8.*give a margin below 8"):
        view("padded_crop 8", pictures())


@pytest.mark.parametrize("channels", [2, 4])
def test_randaugment_is_for_gray_and_for_rgb_pictures(channels):
    with pytest.raises(RequestError, match=f"randaugment was asked of pictures of {channels} channels.*take it out"):
        view("randaugment 2 10", torch.zeros(1, channels, 8, 8))
