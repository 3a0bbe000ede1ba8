"""Pictures in a palette, which makes their files small, and in which no colour becomes another one."""

import numpy as np
from PIL import Image

COLORS = 256
COMMON = 96
"""So many colours of the palette are the most frequent ones: of the background, of texts, of large marks."""


def with_few_colors(picture: Image.Image) -> Image.Image:
    """Return a picture with a palette of 256 colours.

    The colours that the `COMMON` most frequent leave farthest away are added one by one, so that a mark of a
    few pixels keeps its colour, too (farthest-point clustering: Gonzalez, "Clustering to minimize the maximum
    intercluster distance", 1985).

    Parameters
    ----------
    picture
        In mode RGB.

    Returns
    -------
    PIL.Image.Image
        Of the same size in mode P, each pixel in the nearest colour of the palette.
    """
    red, green, blue = np.asarray(picture, dtype=np.int64).transpose(2, 0, 1)
    codes, places, pixels = np.unique(red << 16 | green << 8 | blue, return_inverse=True, return_counts=True)
    colors = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)
    chosen = [*np.argsort(-pixels)[:COMMON]]
    nearest = np.zeros(len(colors), np.uint8)
    apart = np.full(len(colors), np.iinfo(np.int64).max)
    for number in range(min(COLORS, len(colors))):
        if number == len(chosen):
            chosen.append(apart.argmax())
        distance = ((colors - colors[chosen[number]]) ** 2).sum(axis=1)
        is_nearer = distance < apart
        nearest[is_nearer], apart[is_nearer] = number, distance[is_nearer]
    drawn = Image.fromarray(nearest[places].reshape(red.shape), "P")
    drawn.putpalette(colors[chosen].astype(np.uint8).tobytes())
    return drawn
