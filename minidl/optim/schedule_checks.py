"""What is wrong with an optimizer's schedules, found before the first step: ranges they leave, losses they lack."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from minidl.optim.optimizer import Optimizer
from minidl.optim.schedules import Clock, Plateau, Schedule, scheduled
from minidl.system.errors import ConfigError

if TYPE_CHECKING:
    from minidl.config.findings import Finding, Path

PROBES = 4000  # steps at which a schedule is looked at
UNKNOWN = 1000  # steps that a run is taken to have where only its time is known
EVER_WORSE = tuple(float(i) for i in range(300))  # validation losses: whoever follows them falls as far as it can


def check_schedules(optimizer: Optimizer, total_steps: int | None, *, has_validation: bool) -> None:
    """Raise ConfigError for the schedules of an optimizer that cannot last so many steps."""
    found = list(schedule_mistakes(optimizer, total_steps, has_validation=has_validation))
    if found:
        raise ConfigError("\n".join(f"{type(optimizer).__name__}: {mistake.message}" for mistake in found), found)


def schedule_mistakes(
    optimizer: Optimizer, total_steps: int | None, *, has_validation: bool, path: Path = ()
) -> Iterator[Finding]:
    """Each schedule that leaves the range of what it drives, or that waits for validation losses that never come."""
    from minidl.config.findings import Finding  # brings in pydantic, which takes a while

    for place, schedule in _schedules(vars(optimizer), path):
        if not has_validation and _has_plateau(schedule):
            message = "a plateau is seen in validation losses, and the data has no validation part: give data.split one"
            yield Finding(place, message)
            continue
        name = str(place[len(path)])
        yield from _leaves_range(type(optimizer), name, getattr(optimizer, name), schedule, total_steps, place)
    for pattern, group in (optimizer.groups or {}).items():
        for place, schedule in _schedules(group, (*path, "groups", pattern)):
            name = str(place[len(path) + 2])
            yield from _leaves_range(type(optimizer), name, group[name], schedule, total_steps, place)


def _schedules(values: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Schedule]]:
    for name, value in values.items():
        if isinstance(value, Schedule):
            yield (*path, name), value
        elif isinstance(value, tuple):
            yield from (((*path, name, i), item) for i, item in enumerate(value) if isinstance(item, Schedule))


def _has_plateau(schedule: Schedule) -> bool:
    if isinstance(schedule, Plateau):
        return True
    return any(_has_plateau(inner) for _, inner in _schedules(scheduled(schedule), ()))


def _leaves_range(
    kind: type[Any], name: str, field: Any, schedule: Schedule, total_steps: int | None, place: Path
) -> Iterator[Finding]:
    """The first of the extremes of a schedule that is no value for its field."""
    from minidl.config.build import findings  # brings in pydantic, which takes a while
    from minidl.config.findings import Finding

    for step, value in _extremes(schedule, total_steps):
        given = tuple(value if item is schedule else item for item in field) if isinstance(field, tuple) else value
        for finding in findings(kind, {name: given}, ()):
            when = "after every plateau" if step is None else f"at step {step:,}"
            advice = "give it an end that is in range, such as final or minimum"
            yield Finding(place, f"the schedule leaves its range {when}: {finding.message}; {advice}")
            return


def _extremes(schedule: Schedule, total_steps: int | None) -> list[tuple[int | None, float]]:
    """The lowest and the highest value over a run, each with its first step; also with losses that get ever worse."""
    total = total_steps or UNKNOWN
    last = total - 1
    steps = sorted({*range(min(total, PROBES)), *(round(i * last / PROBES) for i in range(PROBES + 1))})
    values = [(step, schedule.value(Clock(step, total))) for step in steps]
    found: list[tuple[int | None, float]] = [pick(values, key=lambda pair: pair[1]) for pick in (min, max)]
    found += [pair for pair in values if math.isnan(pair[1])][:1]
    if _has_plateau(schedule):
        found.append((None, schedule.value(Clock(last, total, EVER_WORSE))))
    return found
