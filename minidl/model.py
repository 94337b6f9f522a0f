"""The user's model: a graph, its weights, and an executor for them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

from numpy.typing import ArrayLike, DTypeLike

import minidl.layers  # noqa: F401  a model is read from names of layers
from minidl.data.vocabulary import Vocabulary
from minidl.engine.executor import Executor
from minidl.engine.parameters import NamedArrays, Parameters, check_settings, fitting_weights, misfits
from minidl.graph.arrays import Array
from minidl.graph.graph import Graph
from minidl.graph.layer import Layer, Node
from minidl.graph.results import alone, named_results
from minidl.graph.summary import model_html, model_line, model_table
from minidl.graph.symbol import Symbol
from minidl.storage.archive import Stored, read_archive, write_archive
from minidl.system.errors import CheckpointError, UsageError
from minidl.system.provided import provided

# What reading a description may end with that minidl never wrote.
STRANGE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, AssertionError)


class Model:
    """Layers wired into a graph, with weights.

    loss: the node to minimise, if any. outputs: further nodes that `forward` returns, by name; what feeds the loss
    where none is given. seed: of first weights and dropout. dtype: float32 or float64.

    >>> import numpy as np
    >>> from minidl import Input, Model
    >>> from minidl.layers import LSTM, Dense
    >>> model = Model(outputs={"y": Dense(2)(LSTM(3)(Input("x", depth=4)))})
    >>> model.forward(x=np.zeros((5, 1, 4)))["y"].shape
    (5, 1, 2)
    """

    def __init__(
        self,
        loss: Node | None = None,
        outputs: Mapping[str, Symbol] | None = None,
        *,
        seed: int = 0,
        dtype: DTypeLike = "float32",
    ) -> None:
        check_settings(seed, dtype)
        graph = Graph(named_results(loss, outputs))
        weights = Parameters(graph.parameters(), dtype)
        weights.initialize(seed)
        self._assemble(graph, weights, seed=int(seed), training=True)

    def _assemble(self, graph: Graph, weights: Parameters, *, seed: int, training: bool, caches: bool = True) -> None:
        self.graph, self.weights, self.seed = graph, weights, seed
        self.executor = Executor(graph, weights, training=training, seed=seed, caches=caches)
        self.vocabulary: Vocabulary | None = None
        # Plain data that says what the numbers mean: the task, names of classes, scales. See `minidl.Predictor`.
        self.metadata: dict[str, Any] = {}

    @classmethod
    def of(
        cls, layer: Layer, *inputs: ArrayLike, seed: int = 0, dtype: DTypeLike = "float64", **named: ArrayLike
    ) -> Model:
        """A model of one layer, run forward on these arrays; `backward(y=dy)` then gives its gradients.

        >>> import numpy as np
        >>> from minidl.layers import Dense
        >>> sorted(Model.of(Dense(2), np.ones((3, 1, 4))).backward(y=1.0))
        ['x']
        """
        node, feeds = alone(layer, inputs, named)
        model = cls(outputs={"y": node}, seed=seed, dtype=dtype)
        model.forward(**feeds)
        return model

    def forward(self, **inputs: ArrayLike) -> dict[str, Any]:
        """Run the graph: the loss as a float and each output as an array, as far as the inputs given reach.

        Recurrent layers go on from the state that the previous call left. The arrays are the model's own buffers,
        valid until the next call; copy them to keep them.
        """
        results: dict[str, Any] = self.executor.forward(inputs)
        return {name: value if value.ndim else float(value.real) for name, value in results.items()}

    def backward(self, **gradients: ArrayLike) -> dict[str, Array]:
        """Fill `gradients` from the loss, or from given gradients of outputs; returns those of float inputs."""
        if not gradients:
            if "loss" not in self.graph.results:
                raise UsageError("this model has no loss: give the gradient of an output, as in backward(logits=dy)")
            gradients = {"loss": 1.0}
        return self.executor.backward(gradients)

    @property
    def parameters(self) -> NamedArrays:
        """The weights by "node/array": live and writable."""
        return NamedArrays(self.weights.arrays, "parameter")

    @property
    def gradients(self) -> NamedArrays:
        """The gradients that the last `backward` left, by "node/array"."""
        return NamedArrays(self.executor.gradients, "gradient")

    @property
    def state(self) -> NamedArrays:
        """What recurrent layers carry from one call to the next, (B, H), by "node/array"."""
        return NamedArrays(self.executor.state, "state")

    @property
    def arrays(self) -> NamedArrays:
        """Everything the last `forward` left: outputs, gates, cell states, by "node/array"."""
        return NamedArrays(self.executor.arrays(), "array")

    def state_dict(self) -> dict[str, Array]:
        """Copies of all weights and carried values, by "parameters/node/array" and "state/node/array"."""
        arrays = {f"parameters/{name}": array.copy() for name, array in self.weights.arrays.items()}
        return arrays | {f"state/{name}": array for name, array in self.executor.state_dict()[0].items()}

    def load_state_dict(self, arrays: Mapping[str, Array]) -> None:
        """Take over what `state_dict` gave; CheckpointError, and no change, where it does not fit."""
        state = {name.removeprefix("state/"): array for name, array in arrays.items() if name.startswith("state/")}
        self.executor.check_state(state)
        self.set_parameters(arrays, "what was given")
        self.executor.load_state_dict(state, {})

    def reset_state(self) -> None:
        """Zero what recurrent layers carry."""
        self.executor.reset_state()

    def replica(
        self,
        *,
        training: bool = False,
        caches: bool = True,
        dtype: DTypeLike | None = None,
        weights: Parameters | None = None,
    ) -> Model:
        """Another model with a state and buffers of its own: over the same weights, or a copy in another dtype.

        caches: whether gates and the like are kept, for `arrays` and the way back; a forward pass takes less time and
        memory without. weights: those to use in the place of this model's, such as an average of them.

        Dropout is active where `training` is true. Validation and sampling use replicas, so that they never disturb
        the state of training.
        """
        twin = Model.__new__(Model)
        weights = weights or self.weights
        weights = weights if dtype is None else weights.astype(dtype)
        twin._assemble(self.graph, weights, seed=self.seed, training=training, caches=caches)
        twin.vocabulary, twin.metadata = self.vocabulary, self.metadata
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Model:
        context = self.executor.context
        twin = self.replica(training=context.training, caches=context.caches, dtype=self.weights.flat.dtype)
        twin.executor.load_state_dict(*self.executor.state_dict())
        return twin

    def __copy__(self) -> Model:
        raise UsageError("use model.replica(), which shares the weights, or copy.deepcopy(model), which has its own")

    def __reduce__(self) -> Any:
        raise UsageError("a model is not pickled, or its arrays would no longer be parts of one: use model.save(path)")

    def save(self, path: str | PathLike[str]) -> None:
        """Write wiring, weights, vocabulary and metadata into one file."""
        arrays = {f"parameters/{name}": array for name, array in self.weights.arrays.items()}
        write_archive(path, arrays, {"model": self.config()})

    def config(self) -> dict[str, Any]:
        """Everything about the model but its numbers, as plain data."""
        vocabulary = None if self.vocabulary is None else self.vocabulary.to_json()
        dtype = str(self.weights.flat.dtype)
        return {
            "graph": self.graph.config(),
            "seed": self.seed,
            "dtype": dtype,
            "vocabulary": vocabulary,
            "metadata": self.metadata,
        }

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Model:
        """The model in a file that `save` wrote, or in a checkpoint; its `replica()` predicts without dropout."""
        archive = read_archive(path, check_described)
        return cls.from_config(archive.meta.get("model"), archive.arrays, str(path))

    @classmethod
    def from_config(cls, config: Any, arrays: Mapping[str, Array], source: str) -> Model:
        """A model with the wiring that `config()` described; no memory is taken for weights that do not fit it."""
        with _describing(f"{source}: "):
            graph = Graph.from_config(config["graph"])
            declared = graph.parameters()
            given = fitting_weights(arrays, declared, source)
            weights = Parameters(declared, config["dtype"])
            weights.load(given)
            model = cls.__new__(cls)
            model._assemble(graph, weights, seed=config["seed"], training=True)
            if config["vocabulary"] is not None:
                model.vocabulary = Vocabulary.from_json(config["vocabulary"])
            model.metadata = dict(config.get("metadata", {}))  # of files of older versions
        return model

    def set_parameters(self, arrays: Mapping[str, Array], source: str) -> None:
        """Take over weights named "parameters/node/array"; all of them are checked before any is changed."""
        self.weights.load(fitting_weights(arrays, self.weights.declared, source))

    def load_weights(self, source: str | PathLike[str] | Mapping[str, Any], layout: str = "minidl") -> None:
        """Take over weights from a file, or from a mapping such as a state_dict of PyTorch.

        source: .safetensors, .npz, .weights.h5, .keras, .onnx, or arrays by name. layout: how it names and shapes them:
        minidl, torch or keras; ONNX has its own. Raises CheckpointError, with all that is missing, left over or of
        another shape, and changes nothing, where it does not fit.
        """
        provided("load_weights")(self, source, layout)

    def __str__(self) -> str:
        return model_table(self.graph)

    def __repr__(self) -> str:
        return f"<Model {model_line(self.graph)}, {self.weights.dtype}>"

    def _repr_html_(self) -> str:
        """The same table where a notebook shows the model."""
        return model_html(self.graph)


def check_described(meta: Mapping[str, Any], stored: Mapping[str, Stored]) -> None:
    """Refuse a file whose weights are not those of the model that it describes, before they are read."""
    from minidl.storage.description import check_description  # brings in pydantic, which takes a while

    check_description(meta, {name: array.dtype for name, array in stored.items()})
    with _describing():
        shapes = {name: array.shape for name, array in stored.items()}
        problems = misfits(shapes, Graph.from_config(meta["model"]["graph"]).parameters())
    if problems:
        raise CheckpointError(f"does not fit the model that it describes: {'; '.join(problems)}")


@contextlib.contextmanager
def _describing(where: str = "") -> Iterator[None]:
    """Whatever a file says of its model that `config` never wrote is a CheckpointError."""
    try:
        yield
    except STRANGE as error:
        raise CheckpointError(f"{where}describes no model ({error}); is it minidl's, its layers imported?") from None
