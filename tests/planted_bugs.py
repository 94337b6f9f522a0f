"""Mistakes that people make when they write layers and executors, planted into copies of minidl.

A bug is a text of one module that is replaced by another. `planted` imports the whole package anew with that one
change, and with it a fresh copy of the contract: classes, registry and checks of the copy know nothing of the real ones.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType


@dataclass(frozen=True)
class Bug:
    """A change of one module that the contract has to notice.

    tried_on: the group of wirings (`contract.WIRINGS`); rejected_by: the check (`contract.CHECKS`) that notices.
    edits: what is replaced by what; each text occurs once in the module.
    """

    label: str
    module: str
    tried_on: str
    rejected_by: str
    edits: tuple[tuple[str, str], ...]

    def plant(self, source: str) -> str:
        for right, wrong in self.edits:
            assert source.count(right) == 1, f"{self.label}: {right!r} occurs {source.count(right)} times"
            source = source.replace(right, wrong)
        return source


class _Planter(MetaPathFinder):
    def __init__(self, bug: Bug) -> None:
        self.bug = bug

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.bug.module:
            return None
        spec = PathFinder.find_spec(fullname, path)
        assert spec is not None
        assert spec.origin is not None
        return importlib.util.spec_from_file_location(
            fullname, spec.origin, loader=_BuggyLoader(fullname, spec.origin, self.bug)
        )


class _BuggyLoader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, bug: Bug) -> None:
        super().__init__(fullname, path)
        self.bug = bug

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_source(fullname)
        assert source is not None
        code: CodeType = compile(self.bug.plant(source), self.path, "exec", dont_inherit=True)
        return code


@contextmanager
def planted(bug: Bug) -> Iterator[ModuleType]:
    """The contract over a copy of minidl that has the bug."""
    kept = _take_modules()
    planter = _Planter(bug)
    sys.meta_path.insert(0, planter)
    try:
        yield importlib.import_module("contract")
        assert bug.module in sys.modules, f"{bug.module} is not in use"
    finally:
        sys.meta_path.remove(planter)
        _take_modules()
        sys.modules.update(kept)


def _take_modules() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] in ("minidl", "contract", "reference")]
    return {name: sys.modules.pop(name) for name in names}


def edit(right: str, wrong: str) -> tuple[tuple[str, str], ...]:
    return ((right, wrong),)


L, G, R = "minidl.layers.lstm", "minidl.layers.gru", "minidl.layers.rnn"
COMMON, OPS = "minidl.layers.recurrent", "minidl.ops"
BACKWARD, EXECUTOR = "minidl.backward", "minidl.executor"

LSTM_BUGS = [
    Bug("gates in another order forwards", L, "LSTM", "gradient", edit(
        "for gates_t, i, f, g, o, c_before", "for gates_t, i, g, f, o, c_before")),
    Bug("gates in another order both ways", L, "LSTM", "reference", (
        ("for gates_t, i, f, g, o, c_before", "for gates_t, i, f, o, g, c_before"),
        ("split(scale, 4)[2]", "split(scale, 4)[3]"),
        ("di_t, df_t, dg_t, do_t, dgates_t", "di_t, df_t, do_t, dg_t, dgates_t"),
        ("i, f, g, o = split(gates, 4)", "i, f, o, g = split(gates, 4)"),
        ("di, df, dg, do = split(dgates, 4)", "di, df, do, dg = split(dgates, 4)"))),
    Bug("a sign in the cell state", L, "LSTM", "gradient", edit("c_t += np.multiply(i, g", "c_t -= np.multiply(i, g")),
    Bug("the forget gate dropped from dc", L, "LSTM", "gradient", edit("                dc *= f_t\n", "")),
    Bug("dWh from the steps after", L, "LSTM", "gradient", edit("rows(h[:-1]).T", "rows(h[1:]).T")),
    Bug("df from the new cell state", L, "LSTM", "gradient", edit("(gates[block], c[block]", "(gates[block], c[1:][block]")),
    Bug("do along dc", L, "LSTM", "gradient", edit("do_t *= dh", "do_t *= dc")),
    Bug("dh is not reset", L, "LSTM", "poison", edit("        dh[...] = 0\n", "")),
    Bug("dc is not reset", L, "LSTM", "poison", edit("        dc[...] = 0\n", "")),
    Bug("dc is reset between blocks of steps", L, "LSTM", "gradient", edit(
        "in blocks(len(dy), dc.size):\n", "in blocks(len(dy), dc.size):\n            dc[...] = 0\n")),
    Bug("dc wrong in one row of the batch", L, "LSTM", "gradient", edit("dc += dc_dh_t", "dc[1:] += dc_dh_t[1:]")),
    Bug("the last step left out", L, "LSTM", "gradient", edit(
        "in blocks(len(dy), dc.size)", "in blocks(len(dy) - 1, dc.size)")),
    Bug("an argument misspelt", L, "LSTM", "binding", edit("        dgates: Array,", "        dgate: Array,")),
    Bug("dx in an array of its own", L, "LSTM", "poison", edit(
        "np.matmul(rows(dgates), Wx.T, out=rows(dx))", "dx = np.matmul(rows(dgates), Wx.T)")),
    Bug("a cached gate overwritten", L, "LSTM", "untouched", edit("sigmoid_slope(i, out=di), g", "sigmoid_slope(i, out=i), g")),
    Bug("dy used up", L, "LSTM", "untouched", edit(
        "                dh += dy_t\n", "                dy_t += dh\n                dh[...] = dy_t\n")),
    Bug("a slab allocated at each call", L, "LSTM", "allocation", edit(
        "affine(x, Wx, b, out=gates)", "gates[...] = np.zeros_like(gates); affine(x, Wx, b, out=gates)")),
    Bug("dx taken for granted", L, "LSTM", "unneeded", edit("        if dx is not None:", "        if True:")),
    Bug("the cell state starts at zero in every window", L, "LSTM", "windows", edit(
        "        affine(x, Wx, b, out=gates)", "        c[0] = 0\n        affine(x, Wx, b, out=gates)")),
]

GRU_BUGS = [
    Bug("reset and update exchanged forwards", G, "GRU", "gradient", edit("for rz, r, z, n,", "for rz, z, r, n,")),
    Bug("reset and update exchanged both ways", G, "GRU", "reference", (
        ("for rz, r, z, n,", "for rz, z, r, n,"),
        ("r, z, _ = split(gates[block], 3)", "z, r, _ = split(gates[block], 3)"),
        ("for dy_t, dr_t, dz_t, dn_t", "for dy_t, dz_t, dr_t, dn_t"),
        ("r, z, n = split(gates, 3)", "z, r, n = split(gates, 3)"),
        ("dr, dz, dn = split(dinput, 3)", "dz, dr, dn = split(dinput, 3)"))),
    Bug("the reset gate left out of the candidate", G, "GRU", "gradient", edit("n += np.multiply(r, s_t, out=a_n)", "n += s_t")),
    Bug("the reset gate left out of ds", G, "GRU", "gradient", edit("                ds_t *= r_t\n", "")),
    Bug("the way past the gates left out", G, "GRU", "gradient", edit("dh *= z_t", "dh *= 0")),
    Bug("a sign in dz", G, "GRU", "gradient", edit("np.subtract(h_before, n, out=room)", "np.subtract(n, h_before, out=room)")),
    Bug("z in the place of 1 - z", G, "GRU", "gradient", edit("np.subtract(1, z, out=room)", "np.copyto(room, z)")),
    Bug("dWh from the steps after", G, "GRU", "gradient", edit(
        "affine_gradients(h[:-1], drecurrent, dWh, dbh)", "affine_gradients(h[1:], drecurrent, dWh, dbh)")),
    Bug("dWh from the gradient of the input's share", G, "GRU", "gradient", edit(
        "affine_gradients(h[:-1], drecurrent, dWh, dbh)", "affine_gradients(h[:-1], dinput, dWh, dbh)")),
    Bug("dbh not written", G, "GRU", "poison", edit("drecurrent, dWh, dbh)", "drecurrent, dWh, None)")),
    Bug("dh is not reset", G, "GRU", "poison", edit("        dh[...] = 0\n", "")),
    Bug("an argument misspelt", G, "GRU", "binding", edit("        dinput: Array,", "        d_input: Array,")),
    Bug("one row of the batch without its reset", G, "GRU", "gradient", edit("dr_t *= dn_t", "dr_t[:-1] *= dn_t[:-1]")),
    Bug("one cache in double precision", G, "GRU", "dtype", edit(
        '"s": Cache((T, B, H))', '"s": Cache((T, B, H), "float64")')),
]

RNN_BUGS = [
    Bug("the slope of tanh left out", R, "RNN", "gradient", edit("tanh_slope(h[1:], out=da)", "da[...] = 1")),
    Bug("the slope at the step before", R, "RNN", "gradient", edit("tanh_slope(h[1:]", "tanh_slope(h[:-1]")),
    Bug("relu passes all", R, "RNN", "gradient", edit("np.greater(h[1:], 0,", "np.greater(h[1:], -1,")),
    Bug("the inputs overwritten by the past", R, "RNN", "gradient", edit("h_t += np.dot(h_before", "h_t[...] = np.dot(h_before")),
    Bug("dh is not reset", R, "RNN", "poison", edit("        dh[...] = 0\n", "")),
    Bug("dWh added to what was there", R, "RNN", "poison", edit(
        "np.matmul(rows(h[:-1]).T, rows(da), out=dWh)", "dWh += rows(h[:-1]).T @ rows(da)")),
    Bug("steps in the wrong order", R, "RNN", "gradient", edit("in backwards(dy, da)", "in forwards(dy, da)")),
    Bug("only the last step's dy", R, "RNN", "gradient", edit("dh += dy_t", "dh += dy[-1]")),
    Bug("one row of the batch left out of dx", R, "RNN", "poison", edit(
        "np.matmul(rows(da), Wx.T, out=rows(dx))", "np.matmul(da[:, 1:], Wx.T, out=dx[:, 1:])")),
    Bug("the bias left out both ways", R, "RNN", "reference", (
        ("affine(x, Wx, b, out=y)", "affine(x, Wx, None, out=y)"),
        ("affine_gradients(x, da, dWx, db)", "affine_gradients(x, da, dWx, None); db[...] = 0"))),
    Bug("Wh read along the wrong axis", R, "RNN", "gradient", edit("np.dot(da_t, WuT", "np.dot(da_t, WuT.T.copy()")),
    Bug("float64 in between", R, "RNN", "allocation", edit(
        "affine_gradients(x, da", "da[...] = da.astype(np.float64)\n        affine_gradients(x, da")),
    Bug("backward forgets the dropped weights", R, "RNN", "gradient", edit(
        "WuT[...] = self.recurrent_weights(Wh, kept, Wu, training).T", "WuT[...] = Wh.T")),
    Bug("gradients of masked weights let through", COMMON, "RNN", "gradient", edit(
        "            dWh *= kept", "            pass")),
    Bug("dropped weights not scaled up", COMMON, "RNN", "reference", edit(
        "            kept *= 1 / (1 - self.recurrent_dropout)\n", "")),
    Bug("a step lost between blocks", COMMON, "GRU", "gradient", edit("max(0, stop - length)", "max(0, stop - length + 1)")),
]

OTHER_BUGS = [
    Bug("the bias gradient halved", OPS, "LSTM", "gradient", edit(
        "        np.sum(rows(dy), axis=0, out=db)", "        np.sum(rows(dy), axis=0, out=db)\n        db *= 0.5")),
    Bug("dW added to what was there", OPS, "Dense", "poison", edit(
        "np.matmul(rows(x).T, rows(dy), out=dW)", "dW += rows(x).T @ rows(dy)")),
    Bug("rows scattered onto what was there", OPS, "Embedding", "poison", edit(
        "    out[...] = 0\n    if len", "    if len")),
    Bug("the last of equal ids wins", OPS, "Embedding", "gradient", edit("out[k] += row", "out[k] = row")),
    Bug("the last part of many equal ids wins", OPS, "Embedding", "gradient", edit("out[k] += np.dot", "out[k] = np.dot")),
    Bug("no bias for one-hot rows", OPS, "GRU", "gradient", edit(
        "    if b is not None:\n        out += b", "        if b is not None:\n            out += b")),
    Bug("the slope of a sigmoid off by a factor", OPS, "LSTM", "gradient", edit(
        "return np.multiply(out, y, out=out)", "return np.multiply(out, 0.5, out=out)")),
    Bug("dx without the tied table transposed", "minidl.layers.dense", "Dense", "gradient", edit(
        "np.matmul(rows(dy), W.T, out=rows(dx))", "np.matmul(rows(dy), np.abs(W).T, out=rows(dx))")),
    Bug("dy not scaled up again", "minidl.layers.dropout", "Dropout", "gradient", edit(
        "        np.multiply(dy, mask, out=dx)\n        dx *= 1 / (1 - self.rate)", "        np.multiply(dy, mask, out=dx)")),
    Bug("a new mask in backward", "minidl.layers.dropout", "Dropout", "gradient", edit(
        "np.multiply(dy, mask, out=dx)", "np.multiply(dy, np.roll(mask, 1, axis=-1), out=dx)")),
    Bug("the mean of dn forgotten", "minidl.layers.layer_norm", "LayerNorm", "gradient", edit(
        "        dx -= dn.mean(axis=-1, keepdims=True)\n", "")),
    Bug("eps outside of the root", "minidl.layers.layer_norm", "LayerNorm", "gradient", edit(
        "        inverse += self.eps\n        np.sqrt(inverse, out=inverse)\n",
        "        np.sqrt(inverse, out=inverse)\n        inverse += self.eps\n")),
    Bug("ignored targets in the gradient", "minidl.layers.softmax_ce", "SoftmaxCE", "gradient", edit(
        "dy * weight.reshape(-1)", "np.full(weight.size, dy * weight.max())")),
    Bug("the mean over ignored targets too", "minidl.layers.softmax_ce", "SoftmaxCE", "reference", edit(
        "max(int(counted.sum()), 1)", "counted.size")),
    Bug("no smoothing in the gradient", "minidl.layers.softmax_ce", "SoftmaxCE", "gradient", edit(
        "dv -= (self.label_smoothing / p.shape[-1])", "dv -= (0 / p.shape[-1])")),
    Bug("a sum that is a mean both ways", "minidl.layers.mse", "MSE", "reference", edit(
        'if reduction == "mean" else 1.0', "")),
    Bug("a two forgotten", "minidl.layers.mse", "MSE", "gradient", edit("scale = 2 * dy", "scale = dy")),
    Bug("no gradient for the answers", "minidl.layers.sigmoid_ce", "SigmoidCE", "poison", edit(
        "np.multiply(logits, -scale, out=dtargets)", "pass")),
    Bug("relu's slope from the wrong side", "minidl.layers.activation", "Activation", "gradient", edit(
        "np.greater(y, 0, out=dx", "np.less_equal(y, 0, out=dx")),
    Bug("a term of gelu's slope dropped", "minidl.layers.activation", "Activation", "gradient", edit(
        "out *= 6 * GELU_SCALE", "out *= 2 * GELU_SCALE")),
    Bug("parts side by side from the same place", "minidl.layers.merge", "Concat", "gradient", edit(
        "            start = stop\n", "")),
    Bug("the rest of dx left as it was", "minidl.layers.steps", "Last", "poison", edit("        dx[...] = 0\n", "")),
    Bug("one step too early where lengths are given", "minidl.layers.steps", "Last", "reference", (
        ("x[lengths - 1, np.arange(len(y))]", "x[lengths - 2, np.arange(len(y))]"),
        ("dx[lengths - 1, np.arange(len(dy))]", "dx[lengths - 2, np.arange(len(dy))]"))),
    Bug("padding reversed too", "minidl.layers.steps", "Reverse", "reference", edit(
        "    if lengths is None:\n        out[...]", "    if True:\n        out[...]")),
    Bug("settings that files forget", "minidl.declared", "RNN", "config", edit(
        " if field.init]", " if field.init and not field.kw_only]")),
    Bug("a layer that is written twice", "minidl.graph", "Graph", "config", edit(
        "            if self.owners[name] != name:\n                layer", "            if False:\n                layer")),
]

EXECUTOR_BUGS = [
    Bug("fan-out is not summed", BACKWARD, "Graph", "gradient", edit("if len(parts) > 1 else [call]", "if False else [call]")),
    Bug("fan-out sums but the first", BACKWARD, "Graph", "gradient", edit(
        "partial(add_up, parts[1:], parts[0], True)", "partial(add_up, parts[1:], parts[0])")),
    Bug("shared weights keep the gradient of one use", BACKWARD, "Graph", "gradient", edit(
        "    return len(users) > 1 or", "    return")),
    Bug("shared weights add to what was there", BACKWARD, "Graph", "poison", edit("add_up, parts, total)", "add_up, parts, total, True)")),
    Bug("inputs with several readers are not summed", BACKWARD, "Graph", "gradient", edit(
        "for name in self.input_gradients()]\n        self.calls", "for name in ()]\n        self.calls")),
    Bug("a result that is read again is not summed", BACKWARD, "Graph", "gradient", edit("return seed + [", "return seed or [")),
    Bug("what is not reached keeps its gradient", EXECUTOR, "Graph", "results", edit("            grad[...] = 0", "            pass")),
    Bug("state is not taken up", EXECUTOR, "LSTM", "windows", edit("            array[0] = self.state[key]", "            array[0] = 0")),
    Bug("state from the step before the last", EXECUTOR, "GRU", "windows", edit("last = array[-1]", "last = array[-2]")),
    Bug("state of one row is not kept", EXECUTOR, "RNN", "windows", edit("self.state[key][...] = last", "self.state[key][1:] = last[1:]")),
    Bug("a reset that resets one row", EXECUTOR, "LSTM", "windows", edit("carried[...] = 0", "carried[:1] = 0")),
    Bug("bytes shared one call too long", "minidl.memory", "Graph", "gradient", edit(
        "self.first <= other.last and other.first <= self.last", "self.first < other.last and other.first < self.last")),
    Bug("a gradient freed before it is read", BACKWARD, "Graph", "gradient", edit("at.get(source, end))", "i)")),
    Bug("a carried value that starts where it likes", EXECUTOR, "GRU", "poison", edit(
        "            array[0] = self.state[key]", "            pass")),
    Bug("inputs read as they come", "minidl.forward", "Dense", "allocation", edit(
        'np.int64 if self.context.graph.inputs[name].dtype == "int" else self.context.dtype',
        'np.int64 if self.context.graph.inputs[name].dtype == "int" else np.float64')),
]  # fmt: skip

BUGS = [*LSTM_BUGS, *GRU_BUGS, *RNN_BUGS, *OTHER_BUGS, *EXECUTOR_BUGS]
