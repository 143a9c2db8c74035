"""Laws of a labelled set of pictures and of the lease on it."""

import numpy as np
import pytest
import torch

from palimpsest.core.errors import RequestError, RunError
from palimpsest.streams.pictures import ClosedData, Joined, Pictures, joined, together

CLASSES = 4


def random_pictures(count=50, white=255, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(white + 1, (count, 3, 5, 4), generator=generator, dtype=torch.uint8)
    return Pictures(pixels, torch.arange(count) % CLASSES, white)


def mapped(pictures, folder):
    """The same pictures, memory-mapped."""
    np.save(folder / "pixels.npy", np.asarray(pictures.pixels))
    return Pictures(np.load(folder / "pixels.npy", mmap_mode="r"), pictures.labels, pictures.white)


def same(a, b):
    return all(torch.equal(one, other) for one, other in zip(a, b, strict=True))


@pytest.mark.parametrize("white", [255, 16])
def test_black_is_minus_one_and_white_is_plus_one(white):
    pixels = torch.tensor([0, white // 2, white], dtype=torch.uint8).view(3, 1, 1, 1)
    x, y = Pictures(pixels, torch.tensor([7, 8, 9]), white).take(torch.tensor([2, 0, 1]))
    assert x.flatten().tolist() == pytest.approx([1, -1, white // 2 * 2 / white - 1])
    assert y.tolist() == [9, 7, 8]
    assert x.dtype == torch.float32 and y.dtype == torch.int64


@pytest.mark.parametrize("classes", [None, (2, 0)])
def test_a_memory_map_reads_bit_for_bit_as_a_resident_set(tmp_path, classes):
    """Also for rows that are unsorted and repeated, of the whole and of a part."""
    resident = random_pictures()
    on_disk = mapped(resident, tmp_path)
    if classes:
        resident, on_disk = resident.of_classes(classes), on_disk.of_classes(classes)
    rows = torch.tensor([9, 3, 3, 20, 0, 9])
    assert resident.resident and not on_disk.resident
    assert same(resident.take(rows), on_disk.take(rows))
    assert torch.equal(resident.select(rows).pixels, on_disk.select(rows).pixels)
    assert np.array_equal(resident.pixels, on_disk.pixels)


def test_a_part_holds_its_classes_in_stored_order_and_shares_the_storage():
    whole = random_pictures()
    part = whole.of_classes([3, 1])
    expected = torch.tensor([row for row in range(50) if row % CLASSES in (1, 3)])
    assert len(part) == 25 and same(part.take(torch.arange(25)), whole.take(expected))
    assert part.of_classes([1]).labels.unique().tolist() == [1]
    whole.pixels[1] = 0
    assert part.bytes(torch.tensor([0])).sum() == 0


def test_what_is_selected_is_a_copy_that_keeps_its_white():
    whole = random_pictures(white=16)
    kept = whole.select(torch.tensor([5, 2]))
    before = kept.pixels.clone()
    whole.pixels.zero_()
    assert torch.equal(kept.pixels, before) and kept.white == 16 and kept.labels.tolist() == [1, 2]


def test_a_lease_reads_like_the_pictures_until_it_is_closed():
    pictures = random_pictures(white=16)
    lease = pictures.lease("task 2's training data")
    rows = torch.tensor([4, 1])
    assert (len(lease), lease.shape, lease.white) == (50, (3, 5, 4), 16)
    assert same(lease.take(rows), pictures.take(rows)) and torch.equal(lease.labels, pictures.labels)
    kept = lease.select(rows)
    lease.close()
    readings = [
        lambda: len(lease),
        lambda: lease.shape,
        lambda: lease.labels,
        lambda: lease.white,
        lambda: lease.device,
        lambda: lease.take(rows),
        lambda: lease.select(rows),
    ]
    for reading in readings:
        with pytest.raises(ClosedData, match=r"task 2's training data was read after the task ended.*keeps="):
            reading()
    assert same(pictures.take(rows), kept.take(torch.arange(2))), "what was selected in time stays, as does the set"
    assert issubclass(ClosedData, RunError)


@pytest.mark.parametrize("kind", ["views", "leases", "mapped", "copies"])
def test_joined_sets_read_as_one_after_the_other(tmp_path, kind):
    whole = random_pictures()
    parts = [whole.subset(torch.arange(20)), whole.subset(torch.arange(20, 23)), whole.subset(torch.arange(23, 50))]
    if kind == "leases":
        parts = [parts[0], *(part.lease() for part in parts[1:])]
    if kind == "mapped":
        parts[1] = mapped(parts[1], tmp_path)
    if kind == "copies":
        parts = [part.select(torch.arange(len(part))) for part in parts]
    one = joined(parts)
    rows = torch.tensor([49, 0, 20, 19, 22, 23, 23])
    assert isinstance(one, Joined) == (kind in ("leases", "mapped"))
    assert len(one) == 50 and torch.equal(one.labels, whole.labels)
    assert same(one.take(rows), whole.take(rows))
    assert same(one.select(rows).take(torch.arange(7)), whole.take(rows))


def test_joining_views_of_one_storage_copies_no_pixels():
    whole = random_pictures()
    one = together([whole.of_classes([1]), whole.of_classes([0])])
    whole.pixels.zero_()
    assert one.pixels.sum() == 0


def test_joined_sets_are_closed_as_soon_as_one_lease_is():
    pictures = random_pictures()
    lease = pictures.lease()
    one = joined([pictures, lease])
    assert one == joined([pictures, lease]), "equal parts make equal sources"
    lease.close()
    with pytest.raises(ClosedData):
        one.take(torch.tensor([0]))


def test_joining_with_nothing_is_the_other():
    pictures = random_pictures()
    assert joined([(), pictures]) is pictures


def test_sets_of_different_shape_are_not_joined():
    other = Pictures(torch.zeros(2, 1, 5, 4, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(RequestError, match=r"\(3, 5, 4\).*\(1, 5, 4\)"):
        joined([random_pictures(), other])


@pytest.mark.parametrize("pixels", [torch.zeros(2, 1, 4, 4), torch.zeros(3, 1, 4, 4, dtype=torch.uint8)])
def test_other_types_and_missing_labels_are_refused(pixels):
    with pytest.raises(RequestError, match="uint8"):
        Pictures(pixels, torch.zeros(2, dtype=torch.int64))


def test_reading_on_a_gpu_never_waits_for_it():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    pictures = random_pictures()
    resident = pictures.to("cuda").of_classes([0, 1])
    mixed = joined([resident, resident.lease()])
    rows = torch.tensor([3, 1, 20], device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        x, y = resident.take(rows)
        again = mixed.take(rows + 25)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    here = pictures.of_classes([0, 1]).take(rows.cpu())
    assert same((x.cpu(), y.cpu()), here) and same([part.cpu() for part in again], [x.cpu(), y.cpu()])
