"""What a Trainer may be given: each argument is checked by itself before anything is done."""

from __future__ import annotations

from numbers import Integral, Real

from minidl.data.batches import Dataset
from minidl.data.vocabulary import Vocabulary
from minidl.model import Model
from minidl.optim import Optimizer
from minidl.system.errors import UsageError, expect
from minidl.training.average import NonMonotonic


def check_parts(model: Model, data: Dataset, optimizer: Optimizer) -> None:
    """A model is trained by its loss, on data of its own vocabulary."""
    expect(Model, model, "a Trainer trains a Model")
    expect(Dataset, data, "a Trainer reads a Dataset, as from_arrays or Data.load make it")
    expect(Optimizer, optimizer, "a Trainer steps an optimizer, such as Adam()")
    if "loss" not in model.graph.results:
        raise UsageError("this model has no loss to train: make it as Model(loss)")
    check_vocabulary(model.vocabulary, data.vocabulary)


def check_limits(**limits: float | None) -> None:
    """At least one end of training, each a number above 0."""
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if not given:
        raise UsageError("say when training ends: epochs=, steps= or minutes=")
    for name, limit in given.items():
        if not isinstance(limit, Real) or not limit > 0:
            raise UsageError(f"{name} should be a number above 0, got {limit!r}")


def check_averaging(accumulate: int, rule: float | NonMonotonic | None, optimizer: Optimizer, data: Dataset) -> None:
    """A number of batches, and a share that an average keeps or what begins one."""
    if not isinstance(accumulate, Integral) or accumulate < 1:
        raise UsageError(f"accumulate should be a number of batches, 1 or more, got {accumulate!r}")
    if rule is None:
        return
    if isinstance(rule, NonMonotonic):
        if data.validation is None:
            raise UsageError("average_weights looks at validation losses, and the data has no validation part")
    elif not isinstance(rule, Real) or not 0 < rule < 1:
        raise UsageError(f"average_weights should be a number between 0 and 1, such as 0.999, got {rule!r}")
    if optimizer.evaluated is not None:
        raise UsageError(f"{type(optimizer).__name__} averages the weights itself: leave average_weights out")


def check_choices(state: str, non_finite: str) -> None:
    """One of two words each."""
    for name, value, choices in (("state", state, ("carry", "zero")), ("non_finite", non_finite, ("stop", "skip"))):
        if value not in choices:
            raise UsageError(f"{name} should be {' or '.join(map(repr, choices))}, got {value!r}")


def check_vocabulary(of_model: Vocabulary | None, of_data: Vocabulary | None) -> None:
    """Refuse data whose symbols have other numbers than those of the model."""
    if of_model is None or of_data is None or of_model == of_data:
        return
    new = [symbol for symbol in of_data.symbols if symbol not in of_model.symbols]
    differ = f"it has {', '.join(map(repr, new[:5]))}, which the model does not know" if new else "their numbers differ"
    raise UsageError(
        f"the data has another vocabulary than the model: {differ}. Build the model on this data, and take its weights "
        "over by symbol: init_from in an experiment"
    )
