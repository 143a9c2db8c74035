"""Laws of the cache: nothing is decoded twice, a bad entry is made again, a full disk loses nothing."""

import errno
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, get_ident

import numpy as np
import pytest

from palimpsest.streams import cache
from palimpsest.streams.cache import cached, fingerprint

PIXELS = np.random.default_rng(0).integers(0, 256, (11, 3, 4, 5), dtype=np.uint8)


class Source:
    """Counts how often it was decoded. `fault` is raised after seven pictures."""

    def __init__(self, fault=None):
        self.decoded, self.fault = 0, fault

    def __call__(self):
        self.decoded += 1
        for number, pixels in enumerate(PIXELS):
            if number == 7 and self.fault:
                raise self.fault
            yield pixels, number
            if number == 4:
                yield None


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pictures"


def entries(folder):
    return sorted(entry for entry in folder.iterdir() if entry.suffix != ".lock")


def is_right(found):
    return np.array_equal(found.pixels, PIXELS) and found.labels.tolist() == list(range(11)) and found.skipped == 1


def test_the_second_reading_decodes_nothing_and_is_memory_mapped():
    source = Source()
    assert is_right(cached({"a": 1}, source)) and is_right(cached({"a": 1}, source)) and source.decoded == 1
    assert isinstance(cached({"a": 1}, source).pixels, np.memmap)


def test_another_key_is_another_entry():
    source = Source()
    cached({"size": 0}, source)
    cached({"size": 8}, source)
    assert source.decoded == 2


def damage(kind, entry):
    file = entry / {"labels": "labels.npy", "json": "about.json"}.get(kind, "pixels.npy")
    if kind == "gone":
        file.unlink()
    elif kind == "zeroed":
        file.write_bytes(file.read_bytes()[:-60] + bytes(60))
    elif kind == "other json":
        (entry / "about.json").write_text(json.dumps([1]))
    else:
        file.write_bytes(file.read_bytes()[:-8])


@pytest.mark.parametrize("kind", ["truncated", "gone", "zeroed", "labels", "json", "other json"])
def test_a_damaged_entry_is_made_again(own_cache, kind):
    source = Source()
    cached({}, source)
    damage(kind, entries(own_cache)[0])
    assert is_right(cached({}, source)) and source.decoded == 2
    assert is_right(cached({}, source)) and source.decoded == 2


def test_a_fault_on_the_way_leaves_nothing_behind(own_cache):
    with pytest.raises(KeyboardInterrupt):
        cached({}, Source(KeyboardInterrupt()))
    assert entries(own_cache) == []
    assert is_right(cached({}, Source()))


def test_what_a_killed_process_left_is_not_mistaken_for_an_entry(own_cache):
    cached({}, Source())
    entry = entries(own_cache)[0]
    shutil.copytree(entry, entry.with_name(entry.name + ".tmp"))
    shutil.rmtree(entry)
    source = Source()
    assert is_right(cached({}, source)) and source.decoded == 1
    assert entries(own_cache) == [entry]


def test_many_that_miss_at_once_decode_once(monkeypatch):
    source, real, together, looked = Source(), cache.load, Barrier(4, timeout=20), set()

    def load(folder):
        found = real(folder)
        if get_ident() not in looked:
            looked.add(get_ident())
            together.wait()  # all four have found nothing before any of them goes on
        return found

    monkeypatch.setattr(cache, "load", load)
    with ThreadPoolExecutor(4) as pool:
        assert all(is_right(found) for found in pool.map(lambda _: cached({}, source), range(4)))
    assert len(looked) == 4 and source.decoded == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_without_space_pictures_stay_in_memory_and_nothing_is_lost(own_cache, monkeypatch, code):
    def full(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(cache, "flush", full)
    with pytest.warns(UserWarning, match="held in memory this time"):
        assert is_right(cached({}, Source()))
    assert entries(own_cache) == []


def test_a_cache_that_cannot_be_a_folder_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PALIMPSEST_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="PALIMPSEST_CACHE"):
        assert is_right(cached({}, Source()))


def test_other_faults_are_not_swallowed():
    with pytest.raises(OSError, match="input/output"):
        cached({}, Source(OSError(errno.EIO, "input/output error")))


def test_a_fingerprint_changes_with_name_size_time_and_place(tmp_path):
    def of(root, name="a.png", text="x", time=1):
        root.mkdir(exist_ok=True)
        (root / name).write_text(text)
        os.utime(root / name, ns=(time, time))
        return json.dumps(fingerprint(root, [root / name]))

    one = tmp_path / "one"
    variants = [of(one), of(one, name="b.png"), of(one, text="xy"), of(one, time=2), of(tmp_path / "two")]
    assert len(set(variants)) == 5 and of(one) == variants[0]
