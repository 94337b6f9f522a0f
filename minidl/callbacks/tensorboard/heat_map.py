"""Matrices as a picture with labels, which are drawn once; the pixels of the matrices are put in anew."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl.graph.arrays import Array

Pixels = NDArray[np.uint8]
Place = tuple[slice, slice]  # rows and columns of pixels
WIDTH, DPI = 11.0, 80  # inches, pixels an inch
GAP, LETTER = 10, 0.08  # pixels between panels; inches that a letter of a label takes
LONGEST = 24  # letters of a label that are shown


@dataclass(frozen=True)
class Panel:
    """One matrix of a picture.

    title: at its left. rows: how many. low, high: the values at the ends of the colours, the same in all pictures so
    that they can be compared; what lies beyond has the colour of the end. labels: of the rows. height: in inches.
    """

    title: str
    rows: int
    low: float
    high: float
    labels: Sequence[str] = ()
    height: float = 1.4

    @property
    def colours(self) -> str:
        """Matplotlib's name for them: zero is white where values may have either sign."""
        return "RdBu_r" if self.low < 0 else "viridis"


class HeatMap:
    """Panels under one another, with columns in common. Raises ImportError where matplotlib is missing.

    columns: how many. labels: of columns, by their place. borders: columns before which a line is drawn. below: what
    the columns are. width: in inches.
    """

    def __init__(
        self,
        panels: Sequence[Panel],
        columns: int,
        labels: Mapping[float, str],
        borders: Sequence[int] = (),
        below: str = "",
        width: float = WIDTH,
    ) -> None:
        from matplotlib import colormaps

        self._panels, self._columns, self._borders = panels, columns, borders
        self._colours = [colormaps[panel.colours](np.arange(256), bytes=True)[:, :3] for panel in panels]
        page = _Page(panels, columns, labels, below, width)
        self._background, self._places = page.drawn(), page.places
        for place, colours in zip(page.places, self._colours, strict=True):
            scale = page.scale(place)
            height = scale[0].stop - scale[0].start
            self._background[scale] = colours[255 - np.arange(height) * 256 // height, None]

    def pixels(self, matrices: Sequence[Array]) -> Pixels:
        """The picture (H, W, 3) of these matrices (rows, columns), one a panel."""
        picture = self._background.copy()
        for panel, colours, place, matrix in zip(self._panels, self._colours, self._places, matrices, strict=True):
            inside = picture[place]
            height, width, _ = inside.shape
            share = (np.nan_to_num(matrix) - panel.low) / (panel.high - panel.low)
            shade = (np.clip(share, 0, 1) * 255).astype(np.uint8)
            rows, columns = np.arange(height) * panel.rows // height, np.arange(width) * self._columns // width
            inside[...] = colours[shade[rows[:, None], columns]]
            for border in self._borders:
                inside[:, border * width // self._columns] = 0
        return picture


class _Page:
    """The picture without the matrices: frames and words, in pixels from the top left.

    Matplotlib writes the words alone, for its axes with their ticks take a second a picture.

    places: of the panels.
    """

    def __init__(
        self, panels: Sequence[Panel], columns: int, labels: Mapping[float, str], below: str, width: float
    ) -> None:
        self._panels, self._columns, self._labels, self._below = panels, columns, labels, below
        longest = min(LONGEST, max(map(len, labels.values()), default=0))
        self._upright = longest > 2
        words = [word for panel in panels for word in (panel.title, *panel.labels)]
        left = 0.5 + LETTER * min(LONGEST, max(map(len, words)))
        across = slice(round(DPI * left), round(DPI * (width - 0.7)))
        self.places: list[Place] = []
        top = GAP
        for panel in panels:
            bottom = top + round(DPI * panel.height)
            self.places.append((slice(top, bottom), across))
            top = bottom + GAP
        self._shape = top + round(DPI * (0.45 + LETTER * longest * self._upright)), round(DPI * width)

    def scale(self, place: Place) -> Place:
        """The place of the colours beside a panel."""
        rows, columns = place
        return rows, slice(columns.stop + GAP, columns.stop + 2 * GAP)

    def drawn(self) -> Pixels:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        height, width = self._shape
        canvas: Any = FigureCanvasAgg(Figure((width / DPI, height / DPI), dpi=DPI))
        for x, y, text, how in self._words():
            canvas.figure.text(x / width, 1 - y / height, text, parse_math=False, **how)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a font need not have every symbol of a vocabulary
            canvas.draw()
        picture = np.array(canvas.buffer_rgba())[..., :3]
        for place in self.places:
            for rows, columns in (place, self.scale(place)):
                picture[rows.start - 1 : rows.stop + 1, columns.start - 1 : columns.stop + 1] = 0
                picture[rows, columns] = 255
        return picture

    def _words(self) -> Iterator[tuple[float, float, str, dict[str, Any]]]:
        """Where each word stands, and how."""
        for panel, place in zip(self._panels, self.places, strict=True):
            rows, columns = place
            step = (rows.stop - rows.start) / panel.rows
            yield 4, (rows.start + rows.stop) / 2, _short(panel.title), {"weight": "bold", "va": "center"}
            for row, label in enumerate(panel.labels):
                at = rows.start + (row + 0.5) * step
                yield columns.start - 4, at, _short(label), {"size": 7, "ha": "right", "va": "center_baseline"}
            after = self.scale(place)[1].stop + 4
            yield after, rows.start, f"{panel.high:g}", {"size": 9, "va": "top"}
            yield after, rows.stop, f"{panel.low:g}", {"size": 9, "va": "bottom"}
        step = (columns.stop - columns.start) / self._columns
        how = {"rotation": 90, "va": "top"} if self._upright else {"va": "baseline"}
        for column, label in self._labels.items():
            under = rows.stop + (4 if self._upright else 13)
            yield columns.start + (column + 0.5) * step, under, _short(label), {"size": 9, "ha": "center", **how}
        yield (columns.start + columns.stop) / 2, self._shape[0] - 4, self._below, {"ha": "center", "va": "bottom"}


def _short(label: str) -> str:
    return label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"
