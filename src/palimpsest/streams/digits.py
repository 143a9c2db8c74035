"""The embedded data set: real pictures of digits that come with scikit-learn."""

import numpy as np
import torch
from PIL import Image

from palimpsest.streams.cache import Decoded
from palimpsest.streams.dataset import DataSet, arrange, form_of, stratified
from palimpsest.streams.decode import to_array
from palimpsest.streams.options import StreamOptions

WHITE = 16  # their pixels are whole numbers from 0 to 16
TEST_SHARE, TEST_SEED = 1 / 6, 0


def digits(options: StreamOptions, device: torch.device) -> DataSet:
    """1,797 handwritten digits, 8×8 gray, built in; nothing is downloaded.

    A sixth of each class, drawn with seed 0, is the test set, whatever the run's seed is. White is 16 as stored;
    resized digits are stretched to 255 first, because 17 grays are too few to interpolate between.
    Source: scikit-learn `load_digits` (UCI optical recognition of handwritten digits, the test part).
    """
    from sklearn.datasets import load_digits

    stored = load_digits()
    pixels, labels = stored.images.astype(np.uint8)[:, None], stored.target.astype(np.int64)
    white = WHITE
    if options.size not in (0, pixels.shape[-1]):
        white = 255
        images = [Image.fromarray(picture) for picture in np.rint(pixels[:, 0] * (255 / WHITE)).astype(np.uint8)]
        pixels = np.stack([to_array(image, form_of(options)) for image in images])
    pixels = np.repeat(pixels, 3, axis=1) if options.channels == 3 and pixels.shape[1] == 1 else pixels
    train, test = (
        Decoded(pixels[rows.numpy()], labels[rows.numpy()]) for rows in stratified(labels, TEST_SHARE, TEST_SEED)
    )
    names = [str(number) for number in range(10)]
    return arrange(options, device, name="digits", train=train, test=test, class_names=names, white=white)
