"""Groups: other hyperparameters for the parameters that a pattern names, and the segments of the weights they give."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from minidl.config.plain import plain
from minidl.engine.parameters import Part
from minidl.graph.arrays import Array
from minidl.system.errors import ConfigError, UsageError, suggest

if TYPE_CHECKING:
    from minidl.config.findings import Checked

Shape = tuple[int, ...]
FREEZE = "freeze"
OF_ALL = ("clip_value", "clip_norm", "groups")  # of the whole gradient: no group has its own


class Segment(NamedTuple):
    """Weights that are changed by one rule: its hyperparameters, its place, and how long it stays as it is.

    shape: of the one parameter in it, for rules that have to see one at a time. number: its place among the segments.
    """

    optimizer: Any
    part: slice
    freeze: float
    shape: Shape | None
    number: int

    def is_frozen(self, steps: int) -> bool:
        """Whether it is left alone after so many steps."""
        return steps < self.freeze

    def updates(self, steps: int) -> int:
        """How often it has been changed after so many steps."""
        return steps - int(self.freeze) if math.isfinite(self.freeze) else steps


class Groups(Mapping[str, Mapping[str, Any]]):
    """Settings by pattern, checked and hashable."""

    def __init__(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        self._settings = {pattern: dict(group) for pattern, group in settings.items()}

    @classmethod
    def of(cls, kind: type[Any], given: Mapping[str, Any]) -> Groups:
        """The groups of an optimizer of this kind; ConfigError with all mistakes, each at its place."""
        from minidl.config.findings import gathered  # brings in pydantic, which takes a while

        checked = {pattern: gathered(_checked(kind, group, ("groups", pattern))) for pattern, group in given.items()}
        mistakes = [finding for _, found in checked.values() for finding in found]
        if mistakes:
            raise ConfigError("\n".join(finding.message for finding in mistakes), mistakes)
        return cls({pattern: group for pattern, (group, _) in checked.items()})

    def __getitem__(self, pattern: str) -> Mapping[str, Any]:
        return self._settings[pattern]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)

    def __hash__(self) -> int:
        return hash(tuple((pattern, tuple(group.items())) for pattern, group in self._settings.items()))

    def __repr__(self) -> str:
        return repr(self._settings)

    def config(self) -> dict[str, Any]:
        """As plain data."""
        return {pattern: plain(group) for pattern, group in self._settings.items()}


def _checked(kind: Any, group: Any, path: tuple[str, ...]) -> Checked[dict[str, Any]]:
    """The settings of one group, with schedules built."""
    from minidl.config.build import findings, revive_values  # brings in pydantic, which takes a while
    from minidl.config.findings import Finding, shown

    if not isinstance(group, Mapping):
        yield Finding(path, f"a group is a mapping such as {{lr: 0.1}}, got {shown(group)}")
        return {}
    known = [item.name for item in dataclasses.fields(kind) if item.init and item.name not in OF_ALL]
    values = dict(group)
    freeze = values.pop(FREEZE, None)
    if freeze is not None and (not isinstance(freeze, int) or freeze < 0):
        yield Finding((*path, FREEZE), f"'freeze' should be true, or a number of steps, got {shown(freeze)}")
    for name in [name for name in values if name not in known]:
        del values[name]
        yield Finding((*path, name), _not_of_group(name, kind.__name__, known))
    values = yield from revive_values(kind, values, path)
    yield from findings(kind, values, path)
    return values | ({} if freeze is None else {FREEZE: freeze})


def _not_of_group(name: str, kind: str, known: Sequence[str]) -> str:
    if name in OF_ALL:
        return f"{name!r} is of the whole gradient, not of a group"
    return f"there is no {name!r} in {kind}{suggest(name, known)} (known: {', '.join((FREEZE, *known))})"


def segments(optimizer: Any, weights: Array, parts: Sequence[Part]) -> tuple[Segment, ...]:
    """The weights as neighbours that have the same hyperparameters; one by one for rules that see a parameter."""
    groups = optimizer.groups
    if groups is not None and not parts:
        raise UsageError("groups are of parameters by name: use step(model) in the place of update(weights, gradient)")
    if groups is None and not optimizer.by_parameter:
        return (Segment(optimizer, slice(None), 0, None, 0),)
    parts = parts or [Part("w", 0, weights.size, weights.shape)]
    check_patterns(groups or {}, [part.name for part in parts])
    found: list[Segment] = []
    before: Any = None
    for part in parts:
        settings = _settings_of(part.name, groups or {})
        key = sorted((name, repr(value)) for name, value in settings.items())
        if found and key == before and not optimizer.by_parameter:
            found[-1] = found[-1]._replace(part=slice(found[-1].part.start, part.stop))
            continue
        freeze = settings.pop(FREEZE, 0)
        steps = math.inf if freeze is True else float(freeze)
        own = dataclasses.replace(optimizer, groups=None, **settings)
        if own.by_parameter:
            own = own.for_parameter(part.name, part.shape)
        shape = part.shape if own.by_parameter else None
        found.append(Segment(own, slice(part.start, part.stop), steps, shape, len(found)))
        before = key
    return tuple(found)


def _settings_of(name: str, groups: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pattern, group in groups.items():
        if fnmatchcase(name, pattern):
            found |= group
    return found


def check_patterns(patterns: Mapping[str, Any] | Sequence[str], names: Sequence[str]) -> None:
    """Refuse a pattern that names no parameter."""
    from minidl.config.findings import Finding  # brings in pydantic, which takes a while

    lost = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]
    if lost:
        mistakes = [Finding(("groups", pattern), _no_match(pattern, names)) for pattern in lost]
        raise ConfigError("\n".join(finding.message for finding in mistakes), mistakes)


def _no_match(pattern: str, names: Sequence[str]) -> str:
    return f"no parameter is named {pattern!r}{suggest(pattern, names)} (there are: {', '.join(names)})"
