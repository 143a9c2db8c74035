"""Features on disk: made once for a set and an extractor, made again where they are damaged."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import save
from torch import nn

from palimpsest.core.errors import RequestError
from palimpsest.evaluation.extractors import Extractor
from palimpsest.evaluation.feature_cache import features_of
from palimpsest.streams.pictures import Pictures


class Counted(nn.Module):
    """The mean of each channel; counts the pictures it was asked about."""

    asked = 0

    def forward(self, x):
        self.asked += len(x)
        return x.mean(dim=(2, 3))


def random_pictures(seed: int = 0, count: int = 30) -> Pictures:
    pixels = torch.randint(256, (count, 3, 4, 4), generator=torch.Generator().manual_seed(seed)).byte()
    return Pictures(pixels, torch.arange(count) % 3)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


@pytest.fixture
def extractor() -> Extractor:
    return Extractor(Counted(), "mean", "ab" * 32)


def files(folder):
    return [place for place in folder.iterdir() if place.suffix != ".lock"]


def test_a_set_is_read_once(folder, extractor):
    pictures = random_pictures()
    first, again = features_of(pictures, extractor), features_of(random_pictures(), extractor)
    assert torch.equal(first, extractor.features(pictures.take(torch.arange(30))[0])) and torch.equal(again, first)
    assert extractor.module.asked == 60, "30 for the cache, 30 for this test"
    assert [place.name.endswith(f"-{'ab' * 8}.safetensors") for place in files(folder)] == [True]


def test_a_set_of_several_parts_is_whole(extractor):
    pictures = random_pictures(count=2100)
    torch.testing.assert_close(features_of(pictures, extractor), pictures.take(torch.arange(2100))[0].mean(dim=(2, 3)))


def test_other_pictures_or_another_extractor_are_another_file(folder, extractor):
    features_of(random_pictures(), extractor)
    features_of(random_pictures(1), extractor)
    features_of(random_pictures(), Extractor(Counted(), "mean", "cd" * 32))
    assert len(files(folder)) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(file.read_bytes()[:-9]),
        lambda file: file.write_bytes(file.read_bytes()[:-1] + b"?"),
        lambda file: file.write_bytes(save({"features": torch.zeros(30, 3)})),
        lambda file: file.write_bytes(save({"others": torch.zeros(30, 3)})),
    ],
)
def test_a_damaged_file_is_made_again(damage, folder, extractor):
    whole = features_of(random_pictures(), extractor)
    damage(files(folder)[0])
    assert torch.equal(features_of(random_pictures(), extractor), whole)
    assert torch.equal(features_of(random_pictures(), extractor), whole)
    assert extractor.module.asked == 60


def test_of_two_that_want_the_same_features_one_waits(extractor):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: features_of(random_pictures(), extractor), range(2)))
    assert extractor.module.asked == 30 and torch.equal(*found)


def test_a_cache_that_cannot_be_written_names_the_variable(tmp_path, monkeypatch, extractor):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path / "file"))
    with pytest.raises(RequestError, match="cache of features.*PALIMPSEST_CACHE"):
        features_of(random_pictures(), extractor)
