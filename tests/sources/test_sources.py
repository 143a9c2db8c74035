"""Where inputs come from."""

from dataclasses import replace

import pytest
import torch

from palimpsest.core.batch import Batch
from palimpsest.core.errors import RequestError
from palimpsest.diffusion.samplers import Sampler
from palimpsest.sources import Data, Dreams, Gaussian, Halfway, Keeping, Memory, union
from palimpsest.sources.augment import Augmentation
from palimpsest.streams.pictures import Pictures
from tests.tiny import SHAPE, tiny_denoiser

BATCH = Batch(6, 0, (0, 2, "train 0", 4))


def numbered(labels: range) -> Pictures:
    pixels = torch.tensor(list(labels), dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 2, 2).contiguous()
    return Pictures(pixels, torch.tensor(list(labels)))


def test_drawing_depends_on_the_address_alone():
    teacher = tiny_denoiser()
    for source in (Dreams(teacher, Sampler("ddim", 2)), Halfway(teacher, 2), Gaussian(SHAPE, 100)):
        first, again = source.draw(BATCH), source.draw(BATCH)
        other = source.draw(Batch(6, 0, (0, 2, "train 0", 5)))
        pictures = [drawn.x if hasattr(drawn, "x") else drawn.x_t for drawn in (first, again, other)]
        assert torch.equal(pictures[0], pictures[1]) and not torch.equal(pictures[0], pictures[2])


def test_dreams_are_what_the_sampler_gives():
    teacher = tiny_denoiser()
    sampler = Sampler("ddim", 3)
    noise = BATCH.random("dreams").normal(6, *SHAPE)
    assert torch.equal(Dreams(teacher, sampler).draw(BATCH).x, sampler(teacher, noise))
    assert not Dreams(teacher, sampler).draw(BATCH).x.requires_grad


def test_halfway_stops_each_sample_at_its_own_level():
    drawn = Halfway(tiny_denoiser(), 4).draw(Batch(200, 0, (0,)))
    assert drawn.noise is None and drawn.t.min() >= 0 and drawn.t.max() <= 99
    assert len(drawn.t.unique()) > 50


def test_gaussian_noise_is_at_any_level():
    drawn = Gaussian(SHAPE, 100).draw(Batch(4000, 0, (0,)))
    assert drawn.t.min() == 0 and drawn.t.max() == 99 and drawn.noise is None
    assert drawn.x_t.mean().abs() < 0.01 and (drawn.x_t.std() - 1).abs() < 0.01


def test_too_many_sampling_steps_are_refused_before_anything_is_drawn():
    for make in (lambda: Dreams(tiny_denoiser(), Sampler("ddim", 101)), lambda: Halfway(tiny_denoiser(), 101)):
        with pytest.raises(RequestError, match="101 sampling steps were asked"):
            make()


def test_the_memory_gives_each_past_task_an_equal_share():
    memory = Memory()
    for task, labels in enumerate((range(0, 20), range(20, 40), range(40, 60)), start=1):
        before = [set(part.labels.tolist()) for part in memory.groups]
        memory = Keeping(10).after(memory, numbered(labels), (0, task))
        assert len(memory) == 10
        for earlier, now in zip(before, memory.groups, strict=False):
            assert set(now.labels.tolist()) <= earlier, "what was forgotten does not come back"
    assert [len(part) for part in memory.groups] == [4, 3, 3]


def test_a_memory_smaller_than_the_batch_is_replayed_whole():
    memory = Keeping(4).after(Memory(), numbered(range(20)), (0, 1))
    drawn = memory.draw(BATCH)
    assert sorted(drawn.y.tolist()) == sorted(memory.pictures.labels.tolist()) and drawn.total == 4
    assert not Memory().exists and not Keeping(0).after(Memory(), numbered(range(20)), (0, 1)).exists


def test_remembered_pictures_are_seen_as_the_others_are():
    memory = replace(
        Keeping(4).after(Memory(), numbered(range(20)), (0, 1)), views=(("logits", Augmentation(("flip",))),)
    )
    drawn = memory.draw(BATCH)
    assert drawn.seen_by("logits").x.shape == drawn.x.shape and "logits" in drawn.views


def test_a_union_is_one_body_of_data():
    now, past = Data(numbered(range(5))), numbered(range(5, 12))
    whole = union(now, past)
    assert whole.name == "data" and len(whole) == 12
    drawn = whole.draw(Batch(12, 0, (0, 1, "train 0", 0))).y.tolist()
    assert sorted(drawn) == list(range(12))
    assert union(now, ()) is now


def test_flips_come_by_address_and_turn_half_of_the_pictures():
    pixels = torch.zeros(1000, 1, 1, 2, dtype=torch.uint8)
    pixels[..., 1] = 255
    x = Data(Pictures(pixels, torch.zeros(1000, dtype=torch.int64)), flip=True).draw(Batch(1000, 0, (0, 1, "a", 0))).x
    assert 400 < (x[:, 0, 0, 0] > 0).sum() < 600
    assert (x[:, 0, 0, 0] != x[:, 0, 0, 1]).all()
