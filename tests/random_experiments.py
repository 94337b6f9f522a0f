"""Random experiments, made from the same declarations that check them."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from hypothesis import strategies as st

from minidl.config.declared import Declared
from minidl.config.rules import rules
from minidl.data import Data
from minidl.experiment.build.sections import Header
from minidl.experiment.build.spec import SECTIONS
from minidl.graph.layer import Layer
from minidl.optim.schedules import Schedule
from minidl.system.errors import ConfigError
from minidl.training.callback import Every

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)
TEXTS = st.text(max_size=12)
FAMILIES = [*SECTIONS.values(), Layer, Schedule, Every]


def values(hint: Any, **bounds: Any) -> st.SearchStrategy[Any]:
    """Plain data that fits an annotation."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return values(arguments[0], constraints=arguments[1:])
    if origin in (typing.Union, types.UnionType):
        return st.one_of([values(argument) for argument in arguments])
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        if arguments[-1] is ...:
            return st.lists(values(arguments[0]), max_size=3)
        return st.tuples(*map(values, arguments)).map(list)
    if origin is Mapping:  # of groups by patterns of names
        return st.dictionaries(TEXTS, st.fixed_dictionaries({}, optional={"freeze": st.integers(0, 3)}), max_size=2)
    if origin is dict:
        return st.dictionaries(TEXTS, TEXTS, max_size=2)
    if isinstance(hint, type) and issubclass(hint, Declared):
        return configs(hint)
    return scalars(hint, bounds.get("constraints", ()))


def scalars(hint: Any, constraints: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if hint in (int, float):
        return numbers(hint, constraints)
    if hint is str:
        return NAMES if constraints else TEXTS
    return {bool: st.booleans(), type(None): st.none()}[hint]


def numbers(kind: Any, constraints: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """Numbers within bounds: hardly any that is drawn anywhere lies between 0 and 1."""
    gt, ge, lt, le = (
        next((getattr(item, bound.__name__.lower()) for item in constraints if isinstance(item, bound)), None)
        for bound in (Gt, Ge, Lt, Le)
    )
    low = max([-3, *([] if gt is None else [math.floor(gt) + 1]), *([] if ge is None else [math.ceil(ge)])])
    high = min([2000, *([] if lt is None else [math.ceil(lt) - 1]), *([] if le is None else [math.floor(le)])])
    found = [st.integers(low, high)] if low <= high else []
    if kind is float:
        ends: dict[str, Any] = {
            "min_value": ge if gt is None else gt,
            "max_value": le if lt is None else lt,
            "exclude_min": gt is not None,
            "exclude_max": lt is not None,
        }
        found.append(st.floats(allow_nan=False, allow_infinity=False, **ends))
    return st.one_of(found)


def configs(family: type[Declared]) -> st.SearchStrategy[dict[str, Any]]:
    """Plain data that describes one of a family."""
    return st.deferred(lambda: st.one_of([config(cls) for cls in own_types(family)]))


def own_types(family: type[Declared]) -> list[Any]:
    """Those of minidl, for other tests declare some too."""
    return [cls for cls in family.types().values() if cls.__module__.startswith("minidl.")]


@functools.cache
def config(cls: Any) -> st.SearchStrategy[dict[str, Any]]:
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    needed = {name for name, field in fields.items() if rules(cls).model_fields[name].is_required()}
    fitting = {name: values(hints[name]) if name != "name" else NAMES for name in fields}
    described = st.fixed_dictionaries(
        {name: fitting[name] for name in fitting if name in needed},
        optional={name: fitting[name] for name in fitting if name not in needed},
    ).filter(lambda settings: is_possible(cls, settings))
    tag = {"type": cls.type_name()} if cls.registry and len(cls.registry) > 1 else {}
    return described.map(lambda settings: {**tag, **settings})


def is_possible(cls: Any, settings: dict[str, Any]) -> bool:
    """Whether a class has nothing against these values together."""
    try:
        cls.from_config(settings)
    except ConfigError:
        return False
    return True


EXPERIMENTS = st.fixed_dictionaries(
    {
        "data": configs(Data),
        "model": st.lists(configs(Layer), min_size=1, max_size=3).map(lambda layers: {"layers": layers}),
        "loss": st.deferred(
            lambda: st.one_of([config(cls) for cls in own_types(Layer) if cls.__name__.endswith(("CE", "MSE"))])
        ),
    },
    optional={
        **{name: values(hint) for name, hint in typing.get_type_hints(Header, include_extras=True).items()
           if name in ("name", "seed", "dtype")},
        **{name: configs(family) for name, family in SECTIONS.items() if name != "data"},
    },
)  # fmt: skip


# Settings whose keys are not minidl's: of a download, patterns of parameters, weights, nodes, measures.
FREE = {"source", "groups", "init", "vectors", "measures"}


def misspell(name: str) -> str:
    return name[:-1] + "zz" + name[-1]


def name_paths(tree: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Where names stand that a file may get wrong."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if not FREE.intersection(path[-1:]):
                yield (*path, name)
                yield from name_paths(value, (*path, name))
    elif isinstance(tree, list):
        for i, value in enumerate(tree):
            yield from name_paths(value, (*path, i))
