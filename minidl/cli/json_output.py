"""What `--json` prints: JSON by its standard, which has no NaN and no infinity."""

from __future__ import annotations

import json
import math
from typing import Any


def json_line(value: Any) -> str:
    """One line of JSON, with null for what is no number and for infinity.

    >>> json_line({"loss": float("nan"), "best": [1.5, float("inf")]})
    '{"loss": null, "best": [1.5, null]}'
    """
    return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
