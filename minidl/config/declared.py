"""One declaration, a frozen dataclass, is constructor, validation, equality, repr and config at once.

Layers, schedules, optimizers and kinds of data all derive from `Declared`. Each such family keeps a registry,
which is what files may name: a name from a file finds a declared class or nothing.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, TypeVar

import numpy as np

from minidl.config.plain import plain
from minidl.system.errors import ConfigError

Self = TypeVar("Self", bound="Declared")


class Declared:
    """Base of everything that is described by its fields.

    A subclass given `family="layer"` opens a registry; the dataclasses below it enter it by their `type_name`.
    """

    family: ClassVar[str] = ""
    registry: ClassVar[dict[str, type[Any]]] = {}
    abstract: ClassVar[bool] = True

    def __init_subclass__(cls, *, family: str = "", abstract: bool | None = None) -> None:
        super().__init_subclass__()
        if family:
            cls.family, cls.registry = family, {}
        cls.abstract = bool(family) if abstract is None else abstract
        # In the class itself, or @dataclass would write one that shows every default.
        cls.__repr__ = Declared.__repr__  # type: ignore[method-assign]
        if cls.abstract:
            return
        # Of two classes of the user's with one name the newer counts; the names of minidl's own stay what they are.
        name, known = cls.type_name(), cls.registry.get(cls.type_name())
        is_other = known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__)
        if known is not None and is_other and known.is_own():
            raise ConfigError(f"{name!r} is a {cls.family} of minidl already: choose another name")
        cls.registry[name] = cls

    @classmethod
    def type_name(cls) -> str:
        """The name by which files call this class."""
        return cls.__name__

    @classmethod
    def is_own(cls) -> bool:
        """Whether the class is minidl's, and none of a user's."""
        return cls.__module__.startswith("minidl.")

    @classmethod
    def types(cls) -> dict[str, type[Any]]:
        """The registered classes of this family that derive from this class, by name."""
        return {name: found for name, found in sorted(cls.registry.items()) if issubclass(found, cls)}

    def __post_init__(self) -> None:
        from minidl.config.build import check  # brings in pydantic, which takes a while

        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, np.generic):  # an np.int64 from a shape is as good as an int
                object.__setattr__(self, field.name, value.item())
            elif isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
        check(self)

    def __repr__(self) -> str:
        settings = [f"{name}={value!r}" for name, value in self._changed().items()]
        return f"{type(self).__name__}({', '.join(settings)})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        return {"declared": cls.__name__}  # the schema of experiments makes it a reference

    def config(self) -> dict[str, Any]:
        """The declaration as plain data: `type`, and every field that differs from its default."""
        return {"type": self.type_name(), **plain(self._changed())}

    def _changed(self) -> dict[str, Any]:
        fields = [field for field in dataclasses.fields(self) if field.init]  # type: ignore[arg-type]
        values = {field.name: (getattr(self, field.name), field.default) for field in fields}
        return {name: value for name, (value, default) in values.items() if value != default}

    @classmethod
    def from_config(cls: type[Self], config: dict[str, Any]) -> Self:
        """The object that `config()` described; the inverse, also through JSON."""
        from minidl.config.build import build  # brings in pydantic, which takes a while

        result: Self = build(cls, config)
        return result


class SnakeCased(Declared, abstract=True):
    """Base of declarations that files call by the name of the class in small letters."""

    @classmethod
    def type_name(cls) -> str:
        """The name in files."""
        return snake_case(cls.__name__)


def snake_case(name: str) -> str:
    """A class name as node and file names spell it.

    >>> [snake_case(name) for name in ("LSTM", "OneHot", "SoftmaxCE", "LayerNorm")]
    ['lstm', 'one_hot', 'softmax_ce', 'layer_norm']
    """
    rest = (
        f"_{letter}" if letter.isupper() and (before.islower() or after.islower()) else letter
        for before, letter, after in zip(name, name[1:], f"{name[2:]} ", strict=False)
    )
    return f"{name[:1]}{''.join(rest)}".lower()
