"""Images as small pictures inside a page."""

import base64
import io

import numpy as np
from PIL import Image

SIDE = 96


def data_url(image: np.ndarray) -> str:
    """Return an image as the `data:` URL of a PNG whose longer side has at most 96 pixels.

    Args:
        image: uint8, shape (height, width, 3).
    """
    picture = Image.fromarray(image)
    scale = max(1, SIDE // max(picture.size))
    # Magnified by a whole number, small images stay sharp; large ones are reduced.
    picture = picture.resize(
        (picture.width * scale, picture.height * scale), Image.Resampling.NEAREST
    )
    picture.thumbnail((SIDE, SIDE))
    content = io.BytesIO()
    picture.save(content, format="PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
