"""Rows that are out of order, or of several series, are told where nobody said by which column."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from minidl.data import Forecasting, Table

DAYS = [f"2024-01-{day:02d}" for day in range(1, 29)]
BACK = "".join(f"{day},{i % 7}\n" for i, day in enumerate(reversed(DAYS)))
BLOCKS = "".join(f"{day},{shop},{i % 7}\n" for shop in "ab" for i, day in enumerate(DAYS))
TURNS = "".join(f"{day},{shop},{i % 7}\n" for i, day in enumerate(DAYS) for shop in "ab")


@pytest.mark.parametrize(
    ("text", "settings", "said"),
    [
        ("date,v\n" + BACK, {}, "not in the order of 'date': name it with time"),
        ("date,shop,v\n" + BLOCKS, {}, "2 series seem to be mixed, told apart by 'shop': name it with group"),
        ("date,shop,v\n" + TURNS, {}, "told apart by 'shop'"),
        ("date,shop,v\n" + BLOCKS, {"time": "date"}, "told apart by 'shop'"),
        ("shop,v\n" + "".join(line[11:] + "\n" for line in BLOCKS.splitlines()), {}, "told apart by 'shop'"),
        ("date,shop,v\n" + BLOCKS, {"time": "date", "group": "shop"}, ""),
        ("date,v\n" + "".join(f"{day},{i % 7}\n" for i, day in enumerate(DAYS)), {}, ""),
        (
            "date,sky,v\n" + "".join(f"{day},{'sun' if i % 3 else 'rain'},{i % 7}\n" for i, day in enumerate(DAYS)),
            {},
            "",
        ),
    ],
)
def test_what_looks_mixed_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, settings: dict[str, Any], said: str
) -> None:
    (tmp_path / "shops.csv").write_text(text)
    with caplog.at_level(logging.WARNING, "minidl"):
        Table("shops.csv", Forecasting(("v",), window=2), split=(0.6, 0.2, 0.2), **settings).load(tmp_path)
    assert said in caplog.text
    if not said:
        assert not [record for record in caplog.records if "name it with" in record.message]
