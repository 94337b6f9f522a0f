"""What targets of each class count: as a file says it, by name or balanced, and as a loss has it, in their order."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from minidl.config.findings import Checked, Finding, shown
from minidl.data import Dataset
from minidl.experiment.build.graph_builder import Plan
from minidl.system.errors import suggest

BALANCED = "balanced"
PATH = ("loss", "class_weights")


def split_class_weights(item: Mapping[str, Any]) -> Checked[tuple[dict[str, Any], Any]]:
    """The settings of a loss, and its weights of classes where these need the data: "balanced", or by name.

    None are the weights of which one is wrong.
    """
    fields, given = dict(item), item.get("class_weights")
    if given is None or isinstance(given, (list, tuple)):
        return fields, None
    fields.pop("class_weights")
    if given == BALANCED:
        return fields, given
    if isinstance(given, Mapping) and given:
        wrong = {name: weight for name, weight in given.items() if not _is_weight(weight)}
        for name, weight in wrong.items():
            yield Finding(
                (*PATH, name), f"the weight of class {name!r} should be a number above 0, got {shown(weight)}"
            )
        return fields, None if wrong else dict(given)
    yield Finding(PATH, f"class_weights is 'balanced', or weights by class, got {shown(given)}")
    return fields, None


def _is_weight(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def with_class_weights(loss: Plan, given: Any, dataset: Dataset) -> Checked[Plan]:
    """The loss with a weight for each class of the data.

    balanced: N / (K n), with n of the N targets of the training part in a class, of K; a class without any counts 1.
    By name: 1 for classes that are not named.
    """
    if given is None or loss.layer is None:
        return loss
    if not hasattr(loss.layer, "class_weights"):
        yield Finding(PATH, f"{loss.layer.type_name()} has no classes to weigh")
        return loss
    names: Any = dataset.metadata.get("class_names")
    counts: Any = dataset.metadata.get("class_counts")
    if names is None or (given == BALANCED and counts is None):
        yield Finding(PATH, "these data name no classes: give a list of weights, in order of the outputs")
        return loss
    names = [str(name) for name in names]
    if given == BALANCED:
        weights = [sum(counts) / (len(counts) * n) if n else 1.0 for n in counts]
    else:
        for name in given:
            if str(name) not in names:
                message = f"there is no class {name!r}{suggest(str(name), names)} (classes: {', '.join(names)})"
                yield Finding((*PATH, name), message)
        by_name = {str(name): float(weight) for name, weight in given.items()}
        weights = [by_name.get(name, 1.0) for name in names]
    layer: Any = loss.layer
    return dataclasses.replace(loss, layer=dataclasses.replace(layer, class_weights=tuple(weights)))
