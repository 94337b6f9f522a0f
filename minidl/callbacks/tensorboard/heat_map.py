"""Matrices as a picture with axes: matplotlib draws the axes once, the pixels of the matrices are put in anew."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Pixels = NDArray[np.uint8]
WIDTH, DPI = 11.0, 80  # inches, pixels an inch


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
        self._background, self._places = _draw_axes(panels, columns, labels, below, width)

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


def _draw_axes(
    panels: Sequence[Panel], columns: int, labels: Mapping[float, str], below: str, width: float
) -> tuple[Pixels, list[tuple[slice, slice]]]:
    """The picture without the matrices, and the place of each panel in it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [panel.height for panel in panels]
    canvas: Any = FigureCanvasAgg(Figure((width, sum(heights) + 0.7), dpi=DPI, layout="constrained"))
    grid = canvas.figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        _draw_panel(axes, panel)
    upright = 90 if max(map(len, labels.values()), default=0) > 2 else 0
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_xticks(list(labels), list(labels.values()), fontsize=9, rotation=upright, parse_math=False)
    axes.set_xlabel(below)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a font need not have every symbol of a vocabulary
        canvas.draw()
    picture = np.array(canvas.buffer_rgba())[..., :3]
    return picture, [_place(axes.get_window_extent(), len(picture)) for axes in grid[:, 0]]


def _draw_panel(axes: Any, panel: Panel) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    axes.set_ylabel(panel.title, rotation=0, labelpad=12, fontweight="bold")
    axes.set_ylim(panel.rows - 0.5, -0.5)
    labels = {place: label for place, label in enumerate(panel.labels) if label}
    axes.set_yticks(list(labels), list(labels.values()), fontsize=7, parse_math=False)
    scale = ScalarMappable(Normalize(panel.low, panel.high), panel.colours)
    axes.figure.colorbar(scale, ax=axes, pad=0.01, aspect=8 * panel.height, ticks=[panel.low, panel.high])


def _place(box: Any, height: int) -> tuple[slice, slice]:
    """The pixels within the frame of a panel; matplotlib counts them from the bottom."""
    return slice(height - int(box.y1) + 1, height - int(box.y0) - 1), slice(int(box.x0) + 1, int(box.x1) - 1)
