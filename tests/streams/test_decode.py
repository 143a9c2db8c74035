"""Laws of decoding: what a stored picture becomes, and how a bad one is named."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from palimpsest.core.errors import RequestError
from palimpsest.streams.decode import Form, Stored, decode, read

GRAY = np.random.default_rng(0).integers(0, 256, (6, 8), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def png(pixels, mode=None, **options):
    image = Image.fromarray(pixels)
    out = BytesIO()
    (image.convert(mode) if mode else image).save(out, "PNG", **options)
    return out.getvalue()


def run(pictures, form=None, skip=False):
    stored = [Stored(f"{number}.png", data, number) for number, data in enumerate(pictures)]
    return list(decode(stored, form or Form(), skip=skip))


def test_lossless_pictures_come_out_as_they_are():
    assert np.array_equal(read(png(GRAY), Form())[0], GRAY)
    assert np.array_equal(read(png(COLOUR), Form()), COLOUR.transpose(2, 0, 1))


def test_palette_and_black_and_white_pictures_are_converted():
    black = np.where(GRAY > 99, 255, 0).astype(np.uint8)
    assert np.array_equal(read(png(black, "1"), Form())[0], black)
    few = COLOUR // 128 * 128
    palette = Image.fromarray(few).quantize(8)
    out = BytesIO()
    palette.save(out, "PNG")
    assert np.array_equal(read(out.getvalue(), Form()), np.asarray(palette.convert("RGB")).transpose(2, 0, 1))


def test_the_first_picture_decides_the_channels():
    (first, _), (second, _) = run([png(GRAY), png(COLOUR)])
    assert first.shape == second.shape == (1, 6, 8)
    assert np.array_equal(second[0], np.asarray(Image.fromarray(COLOUR).convert("L")))
    assert [pixels.shape[0] for pixels, _ in run([png(COLOUR), png(GRAY)])] == [3, 3]
    assert run([png(GRAY)], Form(channels=3))[0][0].shape == (3, 6, 8)


def test_resizing_is_pillows_bilinear_filter_or_torchs_four_neighbours():
    antialiased = read(png(GRAY), Form(size=4))[0]
    assert np.array_equal(antialiased, np.asarray(Image.fromarray(GRAY).resize((4, 4), Image.Resampling.BILINEAR)))
    four = read(png(COLOUR), Form(size=5, resize="bilinear"))
    batch = torch.from_numpy(COLOUR.transpose(2, 0, 1).astype(np.float64))[None]
    expected = torch.nn.functional.interpolate(batch, (5, 5), mode="bilinear", align_corners=False)[0]
    assert np.abs(four - expected.numpy()).max() <= 0.5 + 1e-4
    assert not np.array_equal(antialiased, read(png(GRAY), Form(size=4, resize="bilinear"))[0])


def test_a_camera_picture_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    assert np.array_equal(read(png(GRAY, exif=exif), Form())[0], np.rot90(GRAY, -1))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "I;16", "CMYK", "F", "YCbCr"])
def test_wrong_modes_are_refused_with_mode_and_place(mode):
    out = BytesIO()
    if mode == "I;16":
        Image.fromarray(GRAY.astype(np.uint16)).save(out, "PNG")
    else:
        kind = {"CMYK": "JPEG", "F": "TIFF", "YCbCr": "TIFF"}.get(mode, "PNG")
        Image.fromarray(COLOUR).convert("L" if mode in ("LA", "F") else "RGB").convert(mode).save(out, kind)
    with pytest.raises(RequestError, match=rf"^1\.png has the mode {mode} .*bad_images=skip"):
        run([png(GRAY), out.getvalue()])


BAD = {
    "no picture": (b"hello", "is not a picture in any format"),
    "empty": (b"", "is not a picture in any format"),
    "truncated": (png(COLOUR)[:-60], "cannot be read"),
    "absent": (None, "holds no picture"),
    "alpha": (png(COLOUR, "RGBA"), "has the mode RGBA"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_picture_is_refused_by_name_or_skipped(kind):
    data, sentence = BAD[kind]
    with pytest.raises(RequestError, match=rf"^1\.png {sentence}"):
        run([png(GRAY), data, png(GRAY)])
    first, second, third = run([png(GRAY), data, png(GRAY)], skip=True)
    assert second is None and first[1] == 0 and third[1] == 2


def test_a_truncated_jpeg_is_refused():
    out = BytesIO()
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(out, "JPEG")
    with pytest.raises(RequestError, match="truncated"):
        run([out.getvalue()[: len(out.getvalue()) // 2]])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RequestError, match=r"^0\.png cannot be read"):
        run([tmp_path / "gone.png"])


@pytest.mark.parametrize("skip", [False, True])
def test_mixed_sizes_are_refused_with_both_sizes(skip):
    """A size is the user's choice and not a fault of the picture: skipping does not hide it."""
    with pytest.raises(RequestError, match=r"^1\.png is 4×6 pixels.* are 8×6; .*stream\.size=6"):
        run([png(GRAY), png(GRAY[:, :4])], skip=skip)
    assert len(run([png(GRAY), png(GRAY[:, :4])], Form(size=6))) == 2


def test_when_nothing_is_left_the_first_bad_picture_is_named():
    with pytest.raises(RequestError, match=r"0\.png is not a picture"):
        run([b"", b""], skip=True)
