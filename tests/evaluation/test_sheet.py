"""The sample sheet: where each picture lies, and what it looks like."""

import numpy as np
import pytest
import torch
from PIL import Image

from palimpsest.core.errors import RequestError
from palimpsest.evaluation.sheet import GAP, sample_sheet, save_sheet


def test_each_sample_lies_at_its_row_and_column_enlarged_pixel_by_pixel():
    samples = torch.linspace(-1, 1, 5 * 64).reshape(5, 1, 8, 8)
    sheet = sample_sheet(samples, columns=3)
    assert (sheet.mode, sheet.size) == ("L", (3 * 34 + GAP, 2 * 34 + GAP))
    pixels = np.asarray(sheet)
    shades = ((samples + 1) * 127.5).round().byte().numpy()
    for place in range(5):
        top, left = GAP + place // 3 * 34, GAP + place % 3 * 34
        tile = pixels[top : top + 32, left : left + 32]
        np.testing.assert_array_equal(tile, shades[place, 0].repeat(4, axis=0).repeat(4, axis=1))


def test_gaps_and_empty_places_are_paper():
    pixels = np.asarray(sample_sheet(-torch.ones(3, 1, 32, 32), columns=2))
    assert (pixels[:GAP] == 255).all() and (pixels[:, :GAP] == 255).all() and (pixels[36:, 36:] == 255).all()
    assert (pixels[2:34, 2:34] == 0).all()


def test_colours_keep_their_channels_and_large_pictures_their_size():
    red = torch.tensor([1.0, -1.0, -1.0])[:, None, None].expand(1, 3, 40, 36)
    sheet = sample_sheet(red, columns=10)
    assert (sheet.mode, sheet.size) == ("RGB", (36 + 2 * GAP, 40 + 2 * GAP))
    assert sheet.getpixel((GAP, GAP)) == (255, 0, 0)


def test_values_outside_are_clamped_and_nan_is_mid_gray():
    samples = torch.tensor([-9.0, 9.0, float("nan")]).reshape(3, 1, 1, 1).expand(3, 1, 32, 32)
    row = np.asarray(sample_sheet(samples, columns=3))[10]
    assert [row[10], row[44], row[78]] == [0, 255, 128]


@pytest.mark.parametrize(
    ("shape", "columns"), [((0, 1, 8, 8), 2), ((2, 2, 8, 8), 2), ((2, 8, 8), 2), ((2, 1, 8, 8), 0)]
)
def test_what_is_no_sheet_is_refused(shape, columns):
    with pytest.raises(RequestError, match="a sheet needs"):
        sample_sheet(torch.zeros(shape), columns)


def test_a_saved_sheet_reads_back_and_leaves_nothing_else(tmp_path):
    sheet = sample_sheet(torch.zeros(2, 1, 8, 8), columns=2)
    save_sheet(sheet, tmp_path / "samples" / "task_1.png")
    with Image.open(tmp_path / "samples" / "task_1.png") as read:
        np.testing.assert_array_equal(np.asarray(read), np.asarray(sheet))
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["task_1.png"]
