"""What a file of weights says of itself: the fields that minidl writes, their types and ranges, checked as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Len
from pydantic import AllowInfNan, BaseModel, ConfigDict, Strict, ValidationError, model_validator

from minidl.config.findings import explain
from minidl.system.errors import CheckpointError

WEIGHTS = ("parameters/", "optimizer/", "state/", "average/")  # names of arrays that are computed with
FLOATS = ("float32", "float64")
Count = Annotated[int, Strict(), Ge(0), Le(2**53)]
Number = Annotated[float, AllowInfNan(False)]
Spelt = Number | Literal["nan", "inf", "-inf"]  # JSON has no such numbers
Word128 = Annotated[int, Strict(), Ge(0), Le(2**128 - 1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class Named(_Part):
    """An input or a node."""

    name: str


class GraphPart(_Part):
    """The wiring; the settings of nodes are checked where they are revived."""

    inputs: list[Named]
    nodes: list[Named]
    results: list[Annotated[list[str], Len(2, 2)]]


class ModelPart(_Part):
    """What `Model.config` gives."""

    graph: GraphPart
    seed: Annotated[int, Strict(), Ge(0)]
    dtype: Literal["float32", "float64"]
    vocabulary: str | None


class OptimizerPart(_Part):
    """Steps, and the last length of the gradient."""

    type: str
    steps: Count
    grad_norm: Spelt


class PCG64(_Part):
    """The two numbers of NumPy's generator."""

    state: Word128
    inc: Word128


class Generator(_Part):
    """The state of a random generator of NumPy's."""

    bit_generator: Literal["PCG64"]
    state: PCG64
    has_uint32: Annotated[int, Strict(), Ge(0), Le(1)]
    uinteger: Annotated[int, Strict(), Ge(0), Le(2**32 - 1)]


class ProgressPart(_Part):
    """How far a run has come."""

    step: Count
    seconds: Annotated[Number, Ge(0)]
    validation: list[Spelt]
    best: Number | None
    best_step: Count
    skipped: Count
    averaged: Count = 0
    done: bool
    owed: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _best_is_past(self) -> ProgressPart:
        if self.best_step > self.step:
            raise ValueError("a best step that is still to come")
        return self


class Description(_Part):
    """What a file says of a model, and where it is a checkpoint, of the run."""

    model: ModelPart
    optimizer: OptimizerPart | None = None
    generators: dict[str, Generator] | None = None
    progress: ProgressPart | None = None
    callbacks: dict[str, dict[str, Any]] | None = None
    data: str | None = None
    experiment: dict[str, Any] | None = None
    code: dict[str, str] | None = None


def check_description(meta: Mapping[str, Any], dtypes: Mapping[str, str]) -> None:
    """CheckpointError, with the name of the field, for what minidl never writes. dtypes: of the arrays by name."""
    try:
        Description.model_validate(dict(meta))
    except ValidationError as error:
        found = next(iter(explain(error, meta, list(Description.model_fields), ())))
        field = ".".join(map(str, found.path))
        raise CheckpointError(f"is described in a way that minidl never writes, at {field}: {found.message}") from None
    for name, dtype in dtypes.items():
        if name.startswith(WEIGHTS) and dtype not in FLOATS:
            raise CheckpointError(f"{name} should be {' or '.join(FLOATS)}, is {dtype}")
