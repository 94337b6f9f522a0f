"""The shipped experiments as ONNX in other runtimes, twice in a row, so that states are given on.

python tests/long_runtimes.py [FOLDER with node_modules/onnxruntime-web]   (pip install openvino onnxsim)
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidl import Model
from minidl.exchange import write_onnx
from minidl.experiment import read_experiment

Arrays = dict[str, NDArray[Any]]
Run = Callable[[Arrays], Arrays]
EXPERIMENTS = Path(__file__).parent.parent / "experiments"
TOLERANCE = 1e-5
T, B, LENGTHS = 7, 2, [7, 5]
NODE = """
const ort = require("onnxruntime-web"), fs = require("fs");
const [file, given] = process.argv.slice(1);
const tensor = ({dims, data, int}) => int
  ? new ort.Tensor("int64", BigInt64Array.from(data.map(BigInt)), dims)
  : new ort.Tensor("float32", Float32Array.from(data), dims);
const mapped = (object, f) => Object.fromEntries(Object.entries(object).map(([name, value]) => [name, f(value)]));
(async () => {
  Object.assign(ort.env, {logLevel: "error"});
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(new Uint8Array(fs.readFileSync(file)));
  const found = await session.run(mapped(JSON.parse(fs.readFileSync(given)), tensor));
  process.stdout.write(JSON.stringify(mapped(found, ({dims, data}) => ({dims, data: Array.from(data)}))));
})();
"""


def calls_of(model: Model, inputs: dict[str, list[Any]]) -> list[tuple[Arrays, Arrays]]:
    """Two calls, the second from the states that the first has left: what is given, and what minidl gives."""
    rng, calls = np.random.default_rng(0), []
    shapes = {
        name: [B if axis == "B" else T if isinstance(axis, str) else axis for axis in inputs[name]] for name in inputs
    }
    state: Arrays = {name: np.zeros(shapes[name], "f4") for name in inputs if name not in model.graph.inputs}
    for _ in range(2):
        feeds = {name: _sample(model, name, shapes[name], rng) for name in inputs if name not in state}
        expected = {name: array.copy() for name, array in model.forward(**feeds).items() if name != "loss"}
        expected |= {f"{name}_last": model.state[name].copy() for name in state}
        calls.append((feeds | state, expected))
        state = {name: expected[f"{name}_last"] for name in state}
    return calls


def _sample(model: Model, name: str, shape: list[int], rng: np.random.Generator) -> NDArray[Any]:
    symbol = model.graph.inputs[name]
    if name == "lengths":
        return np.array(LENGTHS)
    return rng.integers(0, symbol.depth, shape) if symbol.dtype == "int" else rng.standard_normal(shape, "f4")


def openvino(path: Path) -> Run:
    """OpenVINO on a processor, in float32."""
    import openvino

    core = openvino.Core()
    model = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda feeds: {name: array for end, array in model(feeds).items() for name in end.get_names()}


def onnxsim(path: Path) -> Run:
    """onnxruntime on what onnxsim makes of the file, which keeps its inputs and what it says of itself."""
    import onnx
    import onnxruntime
    import onnxsim

    whole = onnx.load(path)
    short, same = onnxsim.simplify(whole)
    assert same
    assert {item.name for item in short.graph.input} == {item.name for item in whole.graph.input}
    assert {item.key for item in short.metadata_props} >= {item.key for item in whole.metadata_props}
    session = onnxruntime.InferenceSession(short.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = [item.name for item in session.get_outputs()]
    return lambda feeds: dict(zip(outputs, session.run(outputs, feeds), strict=True))


def web(folder: str) -> Callable[[Path], Run]:
    """onnxruntime-web under Node, which compiles it to WebAssembly as a browser does."""

    def load(path: Path) -> Run:
        return lambda feeds: _in_node(folder, path, feeds)

    return load


def _in_node(folder: str, path: Path, feeds: Arrays) -> Arrays:
    written = {
        name: {"dims": array.shape, "data": array.ravel().tolist(), "int": array.dtype.kind == "i"}
        for name, array in feeds.items()
    }
    given = path.with_suffix(".json")
    given.write_text(json.dumps(written))
    done = subprocess.run(["node", "-e", NODE, path, given], cwd=folder, check=True, capture_output=True, text=True)
    answer = json.loads(done.stdout)
    return {name: np.array(array["data"]).reshape(array["dims"]) for name, array in answer.items()}


def difference(run: Run, calls: list[tuple[Arrays, Arrays]], within_lengths: bool) -> float:
    """The largest of all numbers; within the lengths of sequences only where a runtime computes on after them."""
    largest = 0.0
    for feeds, expected in calls:
        found = run(feeds)
        for name, right in expected.items():
            assert found[name].shape == right.shape, name
            apart = np.abs(found[name] - right)
            if within_lengths and "lengths" in feeds:
                apart = apart[: LENGTHS[1]] if apart.ndim == 3 else apart[:1] if name.endswith("_last") else apart
            largest = max(largest, float(apart.max()))
    return largest


def main(folder: str | None = None) -> int:
    runtimes = {"openvino": openvino, "onnxsim": onnxsim} | ({"onnxruntime-web": web(folder)} if folder else {})
    largest = dict.fromkeys(runtimes, 0.0)
    paths = sorted(EXPERIMENTS.glob("*.yaml"))
    with tempfile.TemporaryDirectory() as temporary:
        for path in paths:
            model = read_experiment(path).model.replica()
            file = Path(temporary, "model.onnx").resolve()
            calls = calls_of(model, write_onnx(model, file)["inputs"])
            for name, load in runtimes.items():
                found = difference(load(file), calls, within_lengths=name == "openvino")
                print(f"{path.stem:20} {name:16} {found:.1e}", flush=True)
                largest[name] = max(largest[name], found)
    print(f"{len(paths)} experiments, the largest difference: {largest}")
    return int(max(largest.values()) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
