"""Mistakes that people make when they write layers and executors, planted into copies of minidl.

A bug is an expression or a statement of one module that is replaced by another, found in the syntax tree, however its
lines are written. Within a function, `planted` gives the real function the code that has the bug, and takes it back. A
bug anywhere else needs a copy: the whole package is imported anew with that one change, and with it the contract, so
that classes, registry and checks of the copy know nothing of the real ones. Where a module has been rewritten, its bugs
have to be planted anew: a text that is not found once is an error.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any


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

    def plant(self, source: str) -> ast.Module:
        """The syntax tree of a module with the bug in it; a text that is a part of a statement is one in a line."""
        for right, wrong in self.edits:
            planter = _Replace(right, wrong)
            changed = planter.visit(ast.parse(source))
            if planter.count == 1:
                source = ast.unparse(ast.fix_missing_locations(changed))
                continue
            source, written = (source, right) if right in source else (_in_one_form(source), _in_one_form(right))
            assert source.count(written) == 1, f"{self.label}: {right!r} occurs {source.count(written)} times"
            source = source.replace(written, wrong)
        return ast.parse(source)


def _in_one_form(text: str) -> str:
    """A text as `ast` writes it, where it is code by itself."""
    try:
        return ast.unparse(ast.parse(text))
    except SyntaxError:
        return text


def _parsed(text: str) -> list[ast.stmt]:
    """The statements of a text; none where it is only a part of some."""
    try:
        return ast.parse(textwrap.dedent(text)).body
    except SyntaxError:
        return []


class _Replace(ast.NodeTransformer):
    """Puts other statements, or another expression, in the place of those that read like a text."""

    def __init__(self, right: str, wrong: str) -> None:
        found, self.wrong = _parsed(right), _parsed(wrong)
        whole = len(found) == 1 and bool(self.wrong)
        self.right = found[0] if whole else None
        only = self.wrong[0] if len(self.wrong) == 1 else None
        is_expression = whole and isinstance(found[0], ast.Expr) and isinstance(only, ast.Expr)
        is_expression = is_expression and (right.startswith("(") or not isinstance(found[0].value, ast.Tuple))
        self.expression = found[0].value if is_expression and isinstance(found[0], ast.Expr) else None
        self.count = 0

    def visit(self, node: ast.AST) -> Any:
        wanted = self.right if isinstance(node, ast.stmt) else self.expression
        stored = isinstance(getattr(node, "ctx", None), ast.Store)
        if wanted is not None and not stored and type(node) is type(wanted) and _reads(node) == _reads(wanted):
            self.count += 1
            if isinstance(node, ast.stmt):
                return self.wrong
            (only,) = self.wrong
            assert isinstance(only, ast.Expr)
            return only.value
        return self.generic_visit(node)


def _reads(node: ast.AST) -> str:
    return ast.unparse(node)


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
    """The contract over minidl with the bug in it."""
    module = importlib.import_module(bug.module)
    source = inspect.getsource(module)
    tree = bug.plant(source)
    codes = _codes(compile(tree, str(module.__file__), "exec", dont_inherit=True))
    if _without_bodies(tree) == _outline(source):
        with _other_code(module, codes):
            yield importlib.import_module("contract")
    else:
        with planted_in_copy(bug) as contract:
            yield contract


def _without_bodies(tree: ast.Module) -> str:
    """All of a module but what its functions do, which is taken out of the tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = []
    return ast.dump(tree)


@cache
def _outline(source: str) -> str:
    return _without_bodies(ast.parse(source))


def _codes(code: CodeType, within: str = "") -> dict[str, CodeType]:
    """The code of each function of a module, and of each method of a class, by its qualified name."""
    found = {}
    for item in code.co_consts:
        if isinstance(item, CodeType):
            found[within + item.co_name] = item
            found |= _codes(item, f"{within}{item.co_name}.")
    return found


@contextmanager
def _other_code(module: ModuleType, codes: Mapping[str, CodeType]) -> Iterator[None]:
    """The functions of a module, and the methods of its classes, with other code for a while."""
    before = {}
    for owner in (module, *(item for item in vars(module).values() if isinstance(item, type))):
        for item in vars(owner).values():
            function = inspect.unwrap(
                next((getattr(item, n) for n in ("__func__", "fget", "func") if hasattr(item, n)), item)
            )
            if (
                inspect.isfunction(function)
                and function.__module__ == module.__name__
                and function.__qualname__ in codes
            ):
                before[function] = function.__code__
    try:
        for function in before:
            function.__code__ = codes[function.__qualname__]
        yield
    finally:
        for function, code in before.items():
            function.__code__ = code


@contextmanager
def planted_in_copy(bug: Bug) -> Iterator[ModuleType]:
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


def bugs(module: str, tried_on: str, *planted: tuple[str, ...]) -> list[Bug]:
    """Bugs of one module. Each is its label, the check that rejects it, then right and wrong texts in turn."""
    return [
        Bug(label, module, tried_on, check, tuple(zip(texts[::2], texts[1::2], strict=True)))
        for label, check, *texts in planted
    ]


BUGS = [
    *bugs(
        "minidl.layers.lstm",
        "LSTM",
        (
            "gates in another order forwards",
            "gradient",
            "(i, f, g, o) = each(a, sigmoid, sigmoid, tanh, sigmoid)",
            "(f, i, g, o) = each(a, sigmoid, sigmoid, tanh, sigmoid)",
        ),
        ("a sign in the cell state", "gradient", "f * c_prev + i * g", "f * c_prev - i * g"),
        ("the forget gate dropped from dc", "gradient", "dc_prev = dc * f", "dc_prev = dc"),
        ("df from the new cell state", "gradient", "dc * c_prev * f * (1 - f)", "dc * c * f * (1 - f)"),
        ("do along dc", "gradient", "dh * tanh_c * o * (1 - o)", "dc * tanh_c * o * (1 - o)"),
        (
            "dc wrong in one row of the batch",
            "gradient",
            "dc * i * (1 - g**2)",
            "dc * i * (1 - g**2) * (np.arange(len(dc)) > 0)[:, None]",
        ),
        ("a slope forgotten", "gradient", "dc * g * i * (1 - i)", "dc * g * i"),
        ("a peephole forgotten on the way back", "gradient", "di * p[0] + df * p[1]", "di * p[0]"),
        (
            "the projection not transposed",
            "gradient",
            "dh if Wp is None else dh @ Wp.T",
            "dh if Wp is None else dh @ np.abs(Wp.T)",
        ),
        ("the output's peephole on the cell before", "gradient", "a_o + p[2] * c", "a_o + p[2] * c_prev"),
        ("the way through the output's peephole forgotten", "gradient", "dc += do * p[2]", "dc += 0 * p[2]"),
    ),
    *bugs(
        "minidl.layers.gru",
        "GRU",
        (
            "reset and update exchanged forwards",
            "gradient",
            "(sigmoid(a_r + past_r), sigmoid(a_z + past_z))",
            "(sigmoid(a_z + past_z), sigmoid(a_r + past_r))",
        ),
        ("the reset gate left out of ds", "gradient", "ds = dn * r", "ds = dn"),
        ("the way past the gates left out", "gradient", "dh * z + drh * r", "drh * r"),
        ("a sign in dz", "gradient", "dh * (h_prev - n) * z * (1 - z)", "dh * (n - h_prev) * z * (1 - z)"),
        ("z in the place of 1 - z", "gradient", "dh * (1 - z) * (1 - n**2)", "dh * z * (1 - n**2)"),
        ("the reset gate after its sum", "gradient", "dn * s * r * (1 - r)", "dn * s * r"),
        ("reset before the product, and its state forgotten", "gradient", "drh * h_prev * r", "drh * r"),
        (
            "reset before the product, and not in dWh",
            "gradient",
            "np.multiply(split(arrays['gates'], 3)[0], arrays['h'][:-1], out=rh)",
            "np.copyto(rh, arrays['h'][:-1])",
        ),
    ),
    *bugs(
        "minidl.layers.min_gru",
        "MinGRU",
        ("a sign in dz", "gradient", "dh * (n - h_prev) * z", "dh * (h_prev - n) * z"),
        ("the state kept where it is renewed", "gradient", "(dh * (1 - z),)", "(dh * z,)"),
    ),
    *bugs(
        "minidl.layers.min_lstm",
        "MinLSTM",
        ("gates that do not share", "gradient", "d = dh / (f + i)", "d = dh"),
        ("df from the candidate", "gradient", "d * (h_prev - h) * f", "d * (n - h) * f"),
    ),
    *bugs(
        "minidl.layers.slstm",
        "SLSTM",
        ("the normaliser's share left out", "gradient", "di = (dc * z + dn) * i", "di = dc * z * i"),
        ("the normaliser of before left out", "gradient", "(dc * c_prev + dn * n_prev) * f", "dc * c_prev * f"),
    ),
    *bugs(
        "minidl.layers.rnn",
        "RNN",
        (
            "the slope of tanh left out",
            "gradient",
            "1 - h**2 if self.activation == 'tanh' else h > 0",
            "1 if self.activation == 'tanh' else h > 0",
        ),
        ("relu passes all", "gradient", "h > 0", "h > -1"),
        ("the wrong slope", "gradient", "1 - h**2", "1 - h"),
        ("relu backward only", "gradient", "np.maximum(a, 0)", "np.minimum(a, 0)"),
        ("tanh twice", "gradient", "tanh(a)", "tanh(tanh(a))"),
    ),
    *bugs(
        "minidl.layers.recurrent_dropout",
        "RNN",
        ("gradients of masked weights let through", "gradient", "dWh *= mask", "dWh *= 1"),
    ),
    *bugs(
        "minidl.layers.cell",
        "LSTM",
        (
            "an argument misspelt",
            "binding",
            "lengths: Array | None, past: Array,",
            "lengths: Array | None, pasd: Array,",
        ),
        (
            "gradients of dropped states let through",
            "gradient",
            "through *= arrays['state_mask']",
            "pass",
        ),
        ("one cache in double precision", "dtype", "Cache((T, B, kH))", "Cache((T, B, kH), 'float64')"),
        ("dh is not reset", "gradient", "d[...] = 0 if last is None else last", "pass"),
        ("dWh from the steps after", "gradient", "seen[: len(da)]", "seen[-len(da) :]"),
        (
            "dx in an array of its own",
            "poison",
            "np.matmul(rows(da), arrays['Wx'].T, out=rows(arrays['dx']))",
            "np.matmul(rows(da), arrays['Wx'].T)",
        ),
        ("dx taken for granted", "unneeded", "arrays['dx'] is not None", "True"),
        (
            "the last step left out",
            "gradient",
            "range(len(arrays['gates']) - 1, -1, -1)",
            "range(len(arrays['gates']) - 1, 0, -1)",
        ),
        ("a given first state is not taken up", "gradient", "state[0] = arrays[f'{name}0']", "pass"),
        ("dy used up", "untouched", "running[0][0][...] += dy[t]", "running[0][0][...] += dy[t]; dy[t] = 0"),
        (
            "the window begins at zero",
            "windows",
            "affine(x, arrays['Wx'], arrays.get('b'), out=gates)",
            "affine(x, arrays['Wx'], arrays.get('b'), out=gates); states[1][0] = 0",
        ),
    ),
    *bugs(
        "minidl.graph.operations",
        "LSTM",
        (
            "the bias gradient halved",
            "gradient",
            "        np.sum(rows(dy), axis=0, out=db)",
            "        np.sum(rows(dy), axis=0, out=db)\n        db *= 0.5",
        ),
    ),
    *bugs(
        "minidl.graph.operations",
        "Dense",
        (
            "dW added to what was there",
            "poison",
            "np.matmul(rows(x).T, rows(dy), out=dW)",
            "dW += rows(x).T @ rows(dy)",
        ),
    ),
    *bugs(
        "minidl.graph.operations",
        "Embedding",
        ("rows scattered onto what was there", "poison", "    out[...] = 0\n    if len", "    if len"),
        ("the last of equal ids wins", "gradient", "sum_of_k += row", "sum_of_k[...] = row"),
        ("the last part of many equal ids wins", "gradient", "out[k] += np.dot", "out[k] = np.dot"),
    ),
    *bugs(
        "minidl.graph.operations",
        "GRU",
        (
            "no bias for one-hot rows",
            "gradient",
            "if b is not None:\n    out += b",
            "if b is not None and not isinstance(x, OneHotRows):\n    out += b",
        ),
    ),
    *bugs(
        "minidl.layers.embedding",
        "Embedding",
        ("gradients of dropped rows let through", "gradient", "dtable *= mask", "dtable *= 1"),
        ("a place dropped, not a symbol", "gradient", "y *= mask[ids]", "y *= mask[ids][::-1]"),
    ),
    *bugs(
        "minidl.layers.dense",
        "Dense",
        (
            "dx without the tied table transposed",
            "gradient",
            "np.matmul(rows(dy), W.T, out=rows(dx))",
            "np.matmul(rows(dy), np.abs(W).T, out=rows(dx))",
        ),
    ),
    *bugs(
        "minidl.layers.dropout",
        "Dropout",
        (
            "dy not scaled up again",
            "gradient",
            "        np.multiply(dy, mask, out=dx)\n        dx *= 1 / (1 - self.rate)",
            "        np.multiply(dy, mask, out=dx)",
        ),
        (
            "a new mask in backward",
            "gradient",
            "np.multiply(dy, mask, out=dx)",
            "np.multiply(dy, np.roll(mask, 1, axis=-1), out=dx)",
        ),
    ),
    *bugs(
        "minidl.layers.layer_norm",
        "LayerNorm",
        ("the mean of dn forgotten", "gradient", "        dx -= dn.mean(axis=self.over, keepdims=True)\n", ""),
        (
            "eps outside of the root",
            "gradient",
            "        inverse += self.eps\n        np.sqrt(inverse, out=inverse)\n",
            "        np.sqrt(inverse, out=inverse)\n        inverse += self.eps\n",
        ),
    ),
    *bugs(
        "minidl.layers.softmax_ce",
        "SoftmaxCE",
        ("ignored targets in the gradient", "gradient", "            out *= targets >= 0", "            pass"),
        (
            "the mean over ignored targets too",
            "reference",
            "            total = (out * self._counts(targets, out)).sum()",
            "            total = out.size",
        ),
        ("no smoothing in the gradient", "gradient", "dv -= (smooth / p.shape[-1])", "dv -= (0 / p.shape[-1])"),
        ("classes count in the loss alone", "gradient", "(1 - smooth) * of_target * scale", "(1 - smooth) * scale"),
        ("a mean in which classes do not count", "reference", "else c[targets]", "else 1.0"),
        ("weights of examples without their mean", "gradient", "(each - y * counts) * dy", "each * dy"),
        ("weights left out of the loss", "reference", "1 if weights is None else beside(weights, out)", "1"),
        ("probabilities that are not weighed backward", "gradient", "dv *= scale[:, None]", "dv *= scale[:1, None]"),
        ("classes left out of what is probable", "reference", "return q if c is None else q * c", "return q"),
    ),
    *bugs(
        "minidl.layers.loss",
        "MSE",
        (
            "a sum that is a mean",
            "reference",
            '    if reduction == "mean":\n        total = out',
            "    if True:\n        total = out",
        ),
        ("padding counts in the mean", "reference", "    drop_padding(out, lengths)\n", ""),
        (
            "the gradient not weighed",
            "gradient",
            "        self.slopes(x, targets, out=out)\n        out *= share\n",
            "        self.slopes(x, targets, out=out)\n",
        ),
        ("targets with the sign of predictions", "gradient", "        np.negative(out, out=out)\n", ""),
        ("weights left out", "reference", "1 if weights is None else beside(weights, out)", "1"),
        ("a mean that does not know the weights", "reference", "total = out.sum() *", "total = out.size *"),
    ),
    *bugs("minidl.layers.mse", "MSE", ("a two forgotten", "gradient", "        out *= 2\n", "")),
    *bugs(
        "minidl.layers.mae",
        "MAE",
        ("the error for its sign", "gradient", "np.sign(out, out=out)", "np.copyto(out, out)"),
    ),
    *bugs(
        "minidl.layers.huber",
        "Huber",
        (
            "cut off at 1 both ways",
            "reference",
            "> self.delta",
            "> 1",
            "self.delta * np.sign",
            "np.sign",
            "-self.delta, self.delta",
            "-1, 1",
        ),
        ("not cut off backward", "gradient", "        np.clip(out, -self.delta, self.delta, out=out)\n", ""),
    ),
    *bugs(
        "minidl.layers.quantile",
        "Quantile",
        (
            "above and below exchanged both ways",
            "reference",
            "tau, tau - 1)",
            "1 - tau, -tau)",
            "-tau, 1 - tau)",
            "tau - 1, tau)",
        ),
    ),
    *bugs(
        "minidl.layers.gaussian_nll",
        "GaussianNLL",
        ("a deviation for a variance", "gradient", "np.exp(-s, out=ds)", "np.exp(-2 * s, out=ds)"),
        ("without the constant", "reference", "        out += HALF_LOG_2PI\n", ""),
    ),
    *bugs(
        "minidl.layers.poisson_nll",
        "PoissonNLL",
        (
            "the rate for its logarithm",
            "gradient",
            "        np.exp(x, out=out)\n        out -= targets\n",
            "        np.copyto(out, x)\n        out -= targets\n",
        ),
    ),
    *bugs(
        "minidl.layers.loss",
        "SigmoidCE",
        ("classes count all the same", "reference", "out *= np.array(of_classes, out.dtype)", "pass"),
    ),
    *bugs(
        "minidl.layers.sigmoid_ce",
        "SigmoidCE",
        ("the answers left out", "gradient", "        out -= targets\n", ""),
        (
            "v for -v",
            "gradient",
            '        """-v."""\n        np.negative(x, out=out)',
            '        """-v."""\n        np.copyto(out, x)',
        ),
    ),
    *bugs(
        "minidl.layers.crf",
        "CRF",
        ("pairs transposed", "reference", "A[tags[:-1], tags[1:]]", "A[tags[1:], tags[:-1]]"),
        (
            "no transition into the last tag",
            "gradient",
            "beta[on] = log_sum_exp(A + before",
            "beta[on] = log_sum_exp(before",
        ),
        ("last tags at the last step", "reference", "tags[inside.sum(axis=0) - 1, b]", "tags[-1, b]"),
        (
            "ended sequences go on",
            "reference",
            "            on = inside[t]\n            alpha",
            "            on = inside[t] | True\n            alpha",
        ),
        ("first tags forgotten backward", "gradient", "        ds[...] = (", "        ds[...] = 0 * ("),
    ),
    *bugs(
        "minidl.layers.ctc",
        "CTC",
        (
            "no blank needed between equal symbols",
            "reference",
            "(z[:, 2:] != self.blank) & (z[:, 2:] != z[:, :-2])",
            "z[:, 2:] != self.blank",
        ),
        ("paths that end on a blank only", "reference", "np.where(ends > 0, final", "np.where(ends > 9999, final"),
        (
            "one way forward left out",
            "gradient",
            "_shifted(there, -2), IMPOSSIBLE)]",
            "_shifted(there, -2), IMPOSSIBLE) + IMPOSSIBLE]",
        ),
        (
            "softmax forgotten",
            "gradient",
            "dv[t, inside] = np.exp(log_p[t, inside])",
            "dv[t, inside] = log_p[t, inside]",
        ),
    ),
    *bugs(
        "minidl.layers.attend",
        "Attention",
        (
            "keys after the query",
            "reference",
            "np.triu(np.ones(e.shape[2:], bool), 1)",
            "np.triu(np.ones(e.shape[2:], bool), 2)",
        ),
        (
            "padded keys are seen",
            "reference",
            "    if lengths is not None:\n        hidden",
            "    if False:\n        hidden",
        ),
        ("holes are seen", "reference", "    if mask is not None:\n", "    if False:\n"),
        ("the mean of dp forgotten", "gradient", '    dp -= np.einsum("...s,...s->...", p, dp)[..., None]\n', ""),
        ("scores not scaled both ways", "reference", "1 / math.sqrt(features)", "1.0"),
    ),
    *bugs(
        "minidl.layers.attend",
        "Attention",
        (
            "heads beside each other in another order",
            "reference",
            "x.transpose(2, 0, 1, 3)",
            "x[:, ::-1].transpose(2, 0, 1, 3)",
        ),
    ),
    *bugs(
        "minidl.layers.attention",
        "Attention",
        ("dq not scaled", "gradient", "            dqueries *= scale_of(q.shape[-1])\n", ""),
        ("keys that are values lose one gradient", "gradient", "            dread += dvalues_read\n", ""),
    ),
    *bugs(
        "minidl.layers.additive_attention",
        "AdditiveAttention",
        ("the slope of tanh left out", "gradient", "        np.subtract(1, da, out=da)\n", "        da[...] = 1\n"),
        ("dw of the scores", "gradient", "de[:, 0], a, out=dw", "p[:, 0], a, out=dw"),
    ),
    *bugs(
        "minidl.layers.conv1d",
        "Conv1D",
        ("a step too far both ways", "reference", "offset = self.width - 1 if", "offset = self.width if"),
        ("dW of the wrong steps", "gradient", "_rows(x[seen]).T, _rows(dy[at])", "_rows(x[at]).T, _rows(dy[at])"),
        ("padding is read", "reference", "    drop_padding(room, lengths)\n", ""),
        ("dx left as it was", "poison", "        dx[...] = 0\n        for j", "        for j"),
    ),
    *bugs(
        "minidl.layers.pool",
        "Pool",
        ("the mean over padding too", "reference", "np.mean(x[:length, b]", "np.mean(x[:, b]"),
        ("dx of the largest not reset", "poison", "        dx[...] = 0\n", ""),
        ("the largest of padding too", "reference", "np.argmax(x.real[:length, b]", "np.argmax(x.real[:, b]"),
    ),
    *bugs("minidl.layers.multiply", "Multiply", ("a factor left out", "gradient", "xs[:i] + xs[i + 1 :]", "xs[:i]")),
    *bugs(
        "minidl.layers.slice",
        "Slice",
        ("the rest of dx left as it was", "poison", "            np.copyto(dx, 0)\n", ""),
    ),
    *bugs(
        "minidl.layers.repeat",
        "Repeat",
        ("only the last step's gradient", "gradient", "np.sum(dy, axis=0, out=dx)", "np.copyto(dx, dy[-1])"),
    ),
    *bugs(
        "minidl.layers.activation",
        "Activation",
        ("relu's slope from the wrong side", "gradient", "np.greater(y, 0, out=dx", "np.less_equal(y, 0, out=dx"),
        ("a term of gelu_tanh's slope dropped", "gradient", "out *= 6 * GELU_SCALE", "out *= 2 * GELU_SCALE"),
        ("gelu's density too wide", "gradient", "np.exp(-0.5 * x[k]", "np.exp(-x[k]"),
    ),
    *bugs(
        "minidl.layers.merge",
        "Concat",
        ("parts side by side from the same place", "gradient", "            start = stop\n", ""),
    ),
    *bugs(
        "minidl.layers.steps",
        "Last",
        ("the rest of dx left as it was", "poison", "        dx[...] = 0\n", ""),
        (
            "one step too early where lengths are given",
            "reference",
            "x[lengths - 1, np.arange(len(y))]",
            "x[lengths - 2, np.arange(len(y))]",
            "dx[lengths - 1, np.arange(len(dy))]",
            "dx[lengths - 2, np.arange(len(dy))]",
        ),
    ),
    *bugs(
        "minidl.layers.steps",
        "Reverse",
        (
            "padding reversed too",
            "reference",
            "    if lengths is None:\n        out[...]",
            "    if True:\n        out[...]",
        ),
    ),
    *bugs(
        "minidl.config.declared",
        "RNN",
        ("settings that files forget", "config", " if field.init]", " if field.init and not field.kw_only]"),
    ),
    *bugs(
        "minidl.graph.graph",
        "Graph",
        (
            "a layer that is written twice",
            "config",
            "            if self.owners[name] != name:\n                layer",
            "            if False:\n                layer",
        ),
    ),
    *bugs(
        "minidl.engine.forward",
        "Graph",
        (
            "caches that nobody keeps are shown",
            "uncached",
            "if self.context.caches or not isinstance(item, Cache)",
            "if True",
        ),
        ("caches lie where their own node works", "uncached", "else (i, i)", "else (i + 1, i + 1)"),
    ),
    *bugs(
        "minidl.engine.backward",
        "Graph",
        ("fan-out is not summed", "gradient", "len(summands) > 1", "len(summands) > 99"),
        (
            "fan-out sums but the first",
            "gradient",
            "partial(add_up, parts[1:], parts[0], True)",
            "partial(add_up, parts[1:], parts[0])",
        ),
        ("shared weights keep the gradient of one use", "gradient", "    return len(users) > 1 or", "    return"),
        ("shared weights add to what was there", "poison", "add_up, parts, total)", "add_up, parts, total, True)"),
        (
            "inputs with several readers are not summed",
            "gradient",
            "for name in self._input_gradients()]\n        return calls",
            "for name in ()]\n        return calls",
        ),
        ("a result that is read again is not summed", "gradient", "return seed + [", "return seed or ["),
        ("a gradient freed before it is read", "gradient", "at.get(source, end))", "i)"),
    ),
    *bugs(
        "minidl.engine.executor",
        "Graph",
        ("what is not reached keeps its gradient", "results", "            grad[...] = 0", "            pass"),
    ),
    *bugs(
        "minidl.engine.executor",
        "LSTM",
        ("state is not taken up", "windows", "first[...] = state", "first[...] = 0"),
        ("a reset that resets one row", "windows", "carried[...] = 0", "carried[:1] = 0"),
    ),
    *bugs(
        "minidl.engine.forward",
        "GRU",
        ("state from the step before the last", "windows", "steps[0], steps[-1],", "steps[0], steps[-2],"),
    ),
    *bugs(
        "minidl.engine.executor",
        "GRU",
        (
            "a carried value that starts where it likes",
            "poison",
            "            first[...] = state",
            "            pass",
        ),
    ),
    *bugs(
        "minidl.engine.executor",
        "RNN",
        ("state of one row is not kept", "windows", "self.state[key][...] = last", "self.state[key][1:] = last[1:]"),
    ),
    *bugs(
        "minidl.engine.buffers",
        "Graph",
        (
            "bytes shared one call too long",
            "gradient",
            "(lasts >= wanted.first)",
            "(lasts > wanted.first)",
        ),
    ),
    *bugs(
        "minidl.engine.forward",
        "Dense",
        (
            "inputs read as they come",
            "allocation",
            'np.int64 if self.context.graph.inputs[name].dtype == "int" else self.context.dtype',
            'np.int64 if self.context.graph.inputs[name].dtype == "int" else np.float64',
        ),
    ),
]
