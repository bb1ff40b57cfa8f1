"""Painting characters that take a look: turned and sheared, in any colours, on texture, in clutter.

What a picture shows is drawn by its generator, in shares of the picture's side: the same generator
paints the same picture at every size, but for the grain, which is drawn pixel by pixel.
"""

from dataclasses import dataclass
from functools import cached_property
from math import copysign, cos, pi, radians, sin

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from ap_core.errors import DataError

CHARACTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""No I, O, 0 and 1: they could not be told from a line, from Q, from each other."""

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in grey, as Pillow's; ITU-R 601-2."""

CONTRAST = (90.0, 140.0)
"""Least and greatest difference in grey, of 255, between a character and the ground."""

CLUTTER = (10.0, 50.0)
"""Same, between clutter and the ground."""

HEIGHT = (0.55, 0.85)
TURN = (-radians(15.0), radians(15.0))
SHEAR = (-0.15, 0.15)
SHIFT = (-0.08, 0.08)
"""Of the character's height, angle, slant and middle."""

STROKES = (0.0, 0.03, 0.06)
"""What is added to a character's strokes on either side, in shares of its height."""

CAPITAL = 0.6
"""Height of a capital in a stencil, as a share of the stencil's side: W with thick strokes fits."""

STENCIL = 1.42
"""Side of a stencil in sides of a picture: capitals in it are as high as the highest shown."""

MASTER = 240
"""Size of the font, in pixels, that stencils are made from."""

TINT = 70.0
"""How far red, green and blue may be from their grey."""

TEXTURE = (2.0, 11.0)
"""Least and greatest strength of texture, of 255."""

KNOTS = (3, 7)
"""Points across a picture between which its coarse and its fine texture are interpolated."""

Mask = NDArray[np.float32]
"""Share of every pixel that is covered, (height, width)."""

Colour = NDArray[np.float32]
"""Red, green and blue of 255, (3,)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Painter:
    """Paints pictures of (height, width) pixels."""

    size: tuple[int, int]

    def paint(self, label: int, generator: Generator) -> NDArray[np.uint8]:
        """Picture of one character, (height, width, 3). label: its place in CHARACTERS."""
        ground = generator.uniform(40.0, 215.0)
        canvas = self._ground(ground, generator)
        lines, blobs, fragments, across = generator.integers(0, (3, 3, 3, 2)).tolist()
        below = ((self._line, lines), (self._blob, blobs), (self._fragment, fragments))
        for shape, count in below:
            for _ in range(count):
                _cover(canvas, shape(generator), _other(ground, CLUTTER, generator))
        _cover(canvas, self._character(label, generator), _other(ground, CONTRAST, generator))
        for _ in range(across):
            _cover(canvas, self._line(generator), _other(ground, CLUTTER, generator))
        return self._photograph(canvas, generator)

    def _ground(self, grey: float, generator: Generator) -> NDArray[np.float32]:
        """Smooth noise, coarse and fine, and stripes, (height, width, 3)."""
        canvas = np.broadcast_to(_colour(grey, generator), (*self.size, 3)).copy()
        for knots, across, down in self._interpolations:
            grid = generator.standard_normal((knots, 3 * knots), np.float32)
            grid *= generator.uniform(*TEXTURE)
            canvas += across @ (down @ grid).reshape(-1, knots, 3)
        strength, waves, phase, angle = _drawn(
            generator, (0.0, 14.0), (2.0, 9.0), (0.0, 2 * pi), (0.0, pi)
        )
        canvas += strength * np.sin(2 * pi * waves * self._along(angle) + phase)[..., None]
        return canvas

    def _line(self, generator: Generator) -> Mask:
        """A straight line across the picture."""
        angle, offset, width = _drawn(generator, (0.0, pi), (-0.45, 0.45), (0.008, 0.035))
        return self._soft(width - np.abs(self._along(angle) - offset))

    def _blob(self, generator: Generator) -> Mask:
        """An ellipse."""
        angle, x, y, long, short = _drawn(
            generator, (0.0, pi), (-0.5, 0.5), (-0.5, 0.5), (0.04, 0.16), (0.04, 0.16)
        )
        lengthwise = self._along(angle, (x, y)) / long
        crosswise = self._along(angle + pi / 2, (x, y)) / short
        return self._soft(min(long, short) * (1 - np.hypot(lengthwise, crosswise)))

    def _fragment(self, generator: Generator) -> Mask:
        """Part of another character, cut off along a line, near the rim."""
        label, stroke = generator.integers(0, (len(CHARACTERS), len(STROKES))).tolist()
        around, reach, height, turn, edge = _drawn(
            generator, (0.0, 2 * pi), (0.3, 0.5), (0.3, 0.7), (-pi, pi), (0.0, 2 * pi)
        )
        place = reach * cos(around), reach * sin(around)
        whole = self._stencilled(label, stroke, place, height, turn, 0.0)
        return whole * self._soft(self._along(edge, place))

    def _character(self, label: int, generator: Generator) -> Mask:
        """The character that the picture is of."""
        stroke = int(generator.integers(len(STROKES)))
        x, y, height, turn, shear = _drawn(generator, SHIFT, SHIFT, HEIGHT, TURN, SHEAR)
        return self._stencilled(label, stroke, (x, y), height, turn, shear)

    def _photograph(self, canvas: NDArray[np.float32], generator: Generator) -> NDArray[np.uint8]:
        """The picture out of focus, and grainy."""
        blur, grain = _drawn(generator, (0.0, 0.028), (2.0, 16.0))
        sharp = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
        blurred = np.asarray(sharp.filter(ImageFilter.GaussianBlur(blur * self._side)))
        noise = grain * generator.standard_normal(canvas.shape, np.float32)
        seen: NDArray[np.uint8] = np.clip(blurred + noise, 0, 255).astype(np.uint8)
        return seen

    def _stencilled(
        self,
        label: int,
        stroke: int,
        place: tuple[float, float],
        height: float,
        turn: float,
        shear: float,
    ) -> Mask:
        """A character through its stencil. place: of its middle, from the picture's."""
        stencil = self._stencils[stroke][label]
        scale = height / CAPITAL * self._side / stencil.width
        # Pillow wants the way back, from the picture to the stencil: turned, then sheared.
        cosine, sine = cos(turn) / scale, sin(turn) / scale
        xx, xy, yx, yy = cosine + shear * sine, sine - shear * cosine, -sine, cosine
        rows, columns = self.size
        x, y = columns / 2 + place[0] * self._side, rows / 2 + place[1] * self._side
        middle = stencil.width / 2
        matrix = (xx, xy, middle - xx * x - xy * y, yx, yy, middle - yx * x - yy * y)
        shown = stencil.transform(
            (columns, rows), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
        )
        return np.asarray(shown, np.float32) / np.float32(255)

    def _along(self, angle: float, start: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.float32]:
        """How far every pixel lies in a direction, in sides, (height, width).

        start: from where, as seen from the middle.
        """
        across, down = self._places
        return (across - start[0]) * cos(angle) + (down - start[1]) * sin(angle)

    def _soft(self, inside: NDArray[np.float32]) -> Mask:
        """Mask of how far pixels lie inside an edge, in sides; the edge itself is a pixel wide."""
        mask: Mask = np.clip(inside * self._side + 0.5, 0, 1)
        return mask

    @property
    def _side(self) -> int:
        return min(self.size)

    @cached_property
    def _places(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Places of columns and of rows, from the middle, in sides: (1, width), (height, 1)."""
        rows, columns = (
            ((np.arange(n) + 0.5 - n / 2) / self._side).astype(np.float32) for n in self.size
        )
        return columns[None, :], rows[:, None]

    @cached_property
    def _interpolations(self) -> tuple[tuple[int, NDArray[np.float32], NDArray[np.float32]], ...]:
        """Numbers of knots, with weights for columns (width, knots) and rows (height, knots)."""
        rows, columns = self.size
        return tuple((k, _interpolation(columns, k), _interpolation(rows, k)) for k in KNOTS)

    @cached_property
    def _stencils(self) -> tuple[tuple[Image.Image, ...], ...]:
        """Every character at every stroke."""
        side = round(STENCIL * self._side)
        return tuple(
            tuple(_stencil(each, side, stroke) for each in CHARACTERS) for stroke in STROKES
        )


def _cover(canvas: NDArray[np.float32], mask: Mask, colour: Colour) -> None:
    """Put a colour on the canvas, in place, where the mask is."""
    canvas += mask[..., None] * (colour - canvas)


def _drawn(generator: Generator, *ranges: tuple[float, float]) -> list[float]:
    """Numbers, each drawn uniformly from its range."""
    low, high = zip(*ranges, strict=True)
    numbers: list[float] = generator.uniform(low, high).tolist()
    return numbers


def _other(ground: float, contrast: tuple[float, float], generator: Generator) -> Colour:
    """A colour that can be told from the ground, in grey too."""
    difference, side = generator.uniform(*contrast), generator.uniform(-1.0, 1.0)
    grey = ground + copysign(difference, side)
    return _colour(grey if 0 <= grey <= 255 else ground - copysign(difference, side), generator)


def _colour(grey: float, generator: Generator) -> Colour:
    """A colour of this grey; paint may be darker than black, the picture is not."""
    tint = generator.uniform(-TINT, TINT, 3).astype(np.float32)
    return tint + (grey - tint @ LUMINANCE)


def _interpolation(pixels: int, knots: int) -> NDArray[np.float32]:
    """Weights that interpolate values at knots smoothly, (pixels, knots)."""
    place = np.linspace(0, knots - 1, pixels)
    distance = np.abs(place[:, None] - np.arange(knots))
    return np.where(distance < 1, (1 + np.cos(np.pi * distance)) / 2, 0).astype(np.float32)


def _stencil(character: str, side: int, stroke: float) -> Image.Image:
    """A character in the middle of a square, white on black. Raises: DataError."""
    try:
        font = ImageFont.load_default(MASTER)
    except ImportError as error:
        raise DataError(
            f"characters cannot be drawn: {error}",
            hint="this Pillow was built without FreeType; pip install --force-reinstall pillow",
        ) from error
    assert isinstance(font, ImageFont.FreeTypeFont)
    _, top, _, bottom = font.getbbox("H")
    capital = bottom - top
    master = Image.new("L", (round(capital / CAPITAL),) * 2)
    left, top, right, bottom = font.getbbox(character)
    corner = (master.width - left - right) / 2, (master.height - top - bottom) / 2
    ImageDraw.Draw(master).text(
        corner, character, fill=255, font=font, stroke_width=round(stroke * capital)
    )
    return master.resize((side, side), Image.Resampling.BOX)
