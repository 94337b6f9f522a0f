"""What an optimizer promises, tried on anybody's optimizer: it descends, it goes on where it was, it refuses NaN."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from minidl.optim.optimizer import Optimizer
from minidl.system.errors import NumericsError, expect
from minidl.testing.check_layer import Point, judged
from minidl.testing.trial import WrongLayer, attempt

SIZE, STEPS = 200_000, 12  # several blocks, of which the last is shorter


def check_optimizer(optimizer: Optimizer, *, raises: bool = True) -> list[Point]:
    """Try an optimizer: its config, its first steps, its blocks, its memory, what it does with NaN.

    raises: LayerError with all that is wrong; or else the points are returned, whether passed or not.

    >>> from minidl.optim import Adam
    >>> all(point.passed for point in check_optimizer(Adam()))
    True
    """
    expect(Optimizer, optimizer, "what is tried is an optimizer, such as Adam()")
    checks = enumerate(CHECKS.items(), start=1)
    points = [Point(number, name, attempt(check, optimizer)) for number, (name, check) in checks]
    return judged(optimizer, points) if raises else points


def _fresh(optimizer: Optimizer) -> Optimizer:
    return dataclasses.replace(optimizer)


def _walk(optimizer: Optimizer, w: NDArray[np.float64], steps: int) -> None:
    for _ in range(steps):
        optimizer.update(w, 2 * w)  # downhill in a bowl


def round_trip(optimizer: Optimizer) -> None:
    """An optimizer is what its config says."""
    again = Optimizer.from_config(json.loads(json.dumps(optimizer.config())))
    if again != optimizer:
        raise WrongLayer(f"its config() makes {again!r}")


def descends(optimizer: Optimizer) -> None:
    """It goes downhill in a bowl."""
    w = np.random.default_rng(0).standard_normal(100)
    before = float(w @ w)
    _walk(_fresh(optimizer), w, STEPS)
    if not float(w @ w) < before:
        raise WrongLayer("it does not go downhill: w = w - lr · g")


def same_for_every_block(optimizer: Optimizer) -> None:
    """A weight moves as its own gradient says, wherever it lies."""
    if optimizer.by_parameter or optimizer.clip_norm is not None:
        return
    w = np.tile(np.random.default_rng(1).standard_normal(SIZE // 100), 100)
    _walk(_fresh(optimizer), w, 3)
    if np.ptp(w.reshape(100, -1), axis=0).max() > 1e-12:
        raise WrongLayer("equal weights with equal gradients move apart: a block is treated in another way")


def goes_on(optimizer: Optimizer) -> None:
    """What state_dict gives is all that it goes on from."""
    w = np.random.default_rng(2).standard_normal(50)
    whole, first = _fresh(optimizer), _fresh(optimizer)
    a, b = w.copy(), w.copy()
    _walk(whole, a, 2 * STEPS)
    _walk(first, b, STEPS)
    second = _fresh(optimizer)
    second.prepare(b)
    second.load_state_dict(first.state_dict())
    _walk(second, b, STEPS)
    if a.tobytes() != b.tobytes():
        raise WrongLayer("it goes on in another way from its state_dict: it keeps something that is in no slot")


def refuses_nan(optimizer: Optimizer) -> None:
    """A gradient that is not finite changes nothing."""
    w = np.ones(5)
    try:
        _fresh(optimizer).update(w, np.array([1.0, np.nan, 1, 1, 1]))
    except NumericsError:
        if (w != 1).any():
            raise WrongLayer("it changes weights before it refuses a gradient that holds NaN") from None
        return
    raise WrongLayer("it takes a gradient that holds NaN")


CHECKS: dict[str, Callable[[Optimizer], None]] = {
    "it is what its config says": round_trip,
    "it goes downhill": descends,
    "blocks make no difference": same_for_every_block,
    "it goes on from its state": goes_on,
    "it refuses NaN": refuses_nan,
}
