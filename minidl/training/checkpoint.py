"""Checkpoints: a run at one step, as arrays and plain data. A file of them is also a model."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from minidl.config.diff import differences
from minidl.graph.arrays import Array
from minidl.storage.archive import Archive
from minidl.system.errors import CheckpointError
from minidl.training.callback import Callback, Run
from minidl.training.progress import Progress

TRAINED = "training/weights"  # the vector that is trained, where an average of it is evaluated


def capture(trainer: Run) -> tuple[dict[str, Array], dict[str, Any]]:
    """Everything that a resumed run has to know: arrays, and plain data."""
    state, generators = trainer.carried()
    kept = trainer.optimizer.state_dict()
    arrays = {f"parameters/{name}": array for name, array in trainer.evaluated.arrays.items()}
    if trainer.evaluated is not trainer.model.weights:  # whoever loads the file gets the average
        arrays[TRAINED] = trainer.model.weights.flat
    arrays |= {f"optimizer/{name}": value for name, value in kept.items() if isinstance(value, np.ndarray)}
    arrays |= {f"state/{name}": array for name, array in state.items()}
    return arrays, {
        "model": trainer.model.config(),
        "optimizer": {
            "type": trainer.optimizer.type_name(),
            "steps": kept["steps"],
            "grad_norm": _spelt(kept["grad_norm"]),
        },
        "generators": generators,
        "progress": _spelt(dataclasses.asdict(trainer.progress)),
        "callbacks": {name: callback.state_dict() for name, callback in _named(trainer)},
        "data": trainer.data.digest,
    }


def saved_progress(archive: Archive, source: str) -> Progress:
    """How far the run of a checkpoint had come."""
    with reading(source):
        return _progress(archive.meta)


def restore(trainer: Run, archive: Archive, source: str) -> None:
    """Bring a trainer to where `capture` found another one; CheckpointError, and no change, where it does not fit."""
    arrays, meta = archive.arrays, archive.meta
    with reading(source):
        check_data(meta, trainer.data.digest)
        _check_model(trainer, meta)
        progress, optimizer = _progress(meta), meta["optimizer"]
        numbers = {"steps": int(optimizer["steps"]), "grad_norm": float(optimizer["grad_norm"])}
        slots, state = _slots(trainer, arrays, optimizer), _state(trainer, arrays)
        generators, trained = _generators(trainer, meta), _trained(trainer, arrays)
        trainer.model.set_parameters(arrays, "it")  # the last thing that may fail
        if trained is not None:
            trainer.evaluated.flat[...] = trainer.model.weights.flat
            trainer.model.weights.flat[...] = trained
        trainer.model.executor.load_state_dict(state, generators)
        trainer.optimizer.load_state_dict({**numbers, **slots})
        trainer.progress = progress
        for name, callback in _named(trainer):
            if name in meta["callbacks"]:
                callback.load_state_dict(meta["callbacks"][name])


@contextlib.contextmanager
def reading(source: str) -> Iterator[None]:
    """Whatever a file says that `capture` never wrote is a CheckpointError."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise CheckpointError(f"{source}: holds no run that could be resumed ({reason}); start a new run") from error


def _trained(trainer: Run, arrays: Mapping[str, Array]) -> Array | None:
    """The vector of weights that goes on, where the file has an average in their place."""
    vector, averages = arrays.get(TRAINED), trainer.evaluated is not trainer.model.weights
    if (vector is not None) != averages:
        raise CheckpointError("it was saved with other averages of weights; resume with the average_weights of then")
    if vector is None:
        return None
    if vector.shape != trainer.model.weights.flat.shape:
        raise CheckpointError(f"{TRAINED} has shape {vector.shape}, the model {trainer.model.weights.flat.shape}")
    _check_finite("training", {TRAINED: vector})
    return vector


def _progress(meta: Mapping[str, Any]) -> Progress:
    from pydantic import TypeAdapter

    progress: Progress = TypeAdapter(Progress).validate_python(meta["progress"])
    return progress


def check_data(meta: Mapping[str, Any], digest: str) -> None:
    """Refuse to go on with other data than those of this hash."""
    if meta.get("data") != digest:
        raise CheckpointError("the data is not what this run was trained on; resume with the same data")


def _check_model(trainer: Run, meta: Mapping[str, Any]) -> None:
    """Refuse another model, even if its arrays would fit."""
    model, own = meta["model"], json.loads(json.dumps(trainer.model.config()))
    if model["vocabulary"] != own["vocabulary"]:
        raise CheckpointError("the vocabulary is not that of this run; resume with the data and the minidl of then")
    changed = differences(model["graph"], own["graph"])
    if changed:
        lines = "\n".join(f"  {name}: {what}" for name, what in changed.items())
        raise CheckpointError(f"the model has changed since this run was begun:\n{lines}\nChange it back to resume.")


def _slots(trainer: Run, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> dict[str, Array]:
    slots, optimizer, size = _under("optimizer/", arrays), trainer.optimizer, trainer.model.weights.flat.size
    wanted = {*optimizer.slot_names, *optimizer.scalars} if slots or meta["steps"] else set()
    misshapen = [name for name in optimizer.slot_names if name in slots and slots[name].shape != (size,)]
    if set(slots) != wanted or misshapen:
        raise CheckpointError(
            f"its optimizer ({meta['type']}) is not that of this run ({optimizer.type_name()}); "
            "resume with the optimizer that the run was begun with"
        )
    _check_finite("optimizer", slots)
    return slots


def _state(trainer: Run, arrays: Mapping[str, Array]) -> dict[str, Array]:
    state = _under("state/", arrays)
    trainer.model.executor.check_state(state)
    _check_finite("state", state)
    return state


def _generators(trainer: Run, meta: Mapping[str, Any]) -> dict[str, Any]:
    generators: dict[str, Any] = meta["generators"]
    if set(generators) != set(trainer.model.executor.rngs):
        raise CheckpointError("its random generators are not those of this model")
    for state in generators.values():
        np.random.default_rng(0).bit_generator.state = state  # raises for what no generator has written
    return generators


def _check_finite(what: str, arrays: Mapping[str, Array]) -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise CheckpointError(f"its {what} array {name} holds NaN or infinity; take an older checkpoint")


def _under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _named(trainer: Run) -> Iterator[tuple[str, Callback]]:
    """The callbacks, each with a name that it has again when the run is resumed."""
    seen: dict[str, int] = {}
    for callback in trainer.callbacks:
        name = callback.type_name()
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name} {seen[name]}", callback


def _spelt(value: Any) -> Any:
    """JSON has no NaN and no infinity: they are spelt as text, which reads back as the number."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _spelt(item) for name, item in value.items()}
    return [_spelt(item) for item in value] if isinstance(value, list) else value
