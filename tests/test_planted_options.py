"""Bugs planted into the options of training, generation and merged layers: a short check of each notices every one."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import test_optim
import test_sampling
import test_seq2seq
import test_trainer
from planted_bugs import Bug
from test_planted_rules import notices_all, of
from test_seq2seq import END_ID, LONGEST, SYMBOLS, Chain, every

from minidl import Input, Model
from minidl.engine import dispatch
from minidl.generate.beam import Beam
from minidl.generate.sampler import Sampler
from minidl.generate.sampling import until
from minidl.layers import RNN, Bidirectional, Last
from minidl.optim import Muon
from minidl.optim.muon import QUINTIC


def both_ways() -> None:
    """A Bidirectional is a layer, and another that reads backwards; its Last is where each of them ends."""
    x, given = np.random.default_rng(0).standard_normal((4, 1, 2)), Input("x", depth=2)
    for merge in ("concat", "sum", "mean"):
        both = Bidirectional(RNN(3), merge=merge, name="two")(given)  # type: ignore[arg-type]
        model = Model(outputs={"y": both, "last": Last()(both)}, dtype="float64")
        halves = []
        for way, steps in (("forward", x), ("backward", x[::-1])):
            one = Model(outputs={"y": RNN(3, name="one")(given)}, dtype="float64")
            for array in ("Wx", "Wh", "b"):
                one.parameters[f"one/{array}"] = model.parameters[f"two_{way}/{array}"]
            halves.append(one.forward(x=steps)["y"].copy())
        put = {"concat": lambda *two: np.concatenate(two, axis=-1), "sum": np.add, "mean": lambda a, b: (a + b) / 2}[
            merge
        ]
        found = model.forward(x=x)
        np.testing.assert_allclose(found["y"], put(halves[0], halves[1][::-1]), atol=1e-12)
        np.testing.assert_allclose(found["last"], put(halves[0][-1], halves[1][-1]), atol=1e-12)


def muon_follows_its_rule() -> None:
    """Each round of the iteration is a polynomial of the singular values."""
    a, b, c = QUINTIC
    rng = np.random.default_rng(0)
    w, u, muon = np.zeros((2, 3)), np.zeros((2, 3)), Muon(lr=0.1, weight_decay=0.5)
    for _ in range(3):
        g, before = rng.standard_normal((2, 3)), w.copy()
        u = 0.95 * u + g
        left, s, right = np.linalg.svd(g + 0.95 * u, full_matrices=False)
        s /= np.linalg.norm(s)
        for _ in range(5):
            s = a * s + b * s**3 + c * s**5
        muon.update(w, g.copy())
        np.testing.assert_allclose(w, 0.95 * before - 0.1 * 1.5**0.5 * (left * s) @ right, atol=1e-6)


def groups_have_their_own() -> None:
    test_optim.test_groups_by_name_pattern()
    test_optim.test_frozen_parameters_do_not_move_until_they_thaw()


def batches_add_up_and_weights_are_averaged() -> None:
    test_trainer.test_accumulated_batches_are_one_large_batch()
    test_trainer.test_accumulated_batches_weigh_as_many_targets_as_they_have()
    test_trainer.test_the_average_of_weights_is_evaluated_and_saved()
    test_trainer.test_a_mean_of_weights_begins_where_validation_stops_to_improve()


def beams_are_the_best() -> None:
    """Of all sequences, where they follow enough; and greedy where they follow one."""
    for seed, length_penalty in itertools.product(range(2), (0.0, 2.0)):
        chain, beam = Chain(seed), Beam(SYMBOLS**LONGEST, length_penalty, LONGEST)
        for case, found in enumerate(beam.search(chain, 2, SYMBOLS, END_ID)):
            expected = every(chain, case, beam)[: len(found)]
            assert [hypothesis.ids for hypothesis in found] == [hypothesis.ids for hypothesis in expected]
            for hypothesis in found:
                score = chain.of(case, hypothesis.ids) / ((6 + len(hypothesis.ids)) / 6) ** length_penalty
                assert hypothesis.score == pytest.approx(score, abs=1e-12)
    seldom = np.log([[0.1, 0.6, 0.3]])  # an end, 0, comes only because no more is allowed
    (found,) = Beam(1, longest=3).search(lambda prefixes, cases: seldom, 1, 2, 0)
    assert [hypothesis.ids for hypothesis in found] == [(1, 1)]
    test_seq2seq.test_a_beam_of_one_is_greedy(0)


def symbols_are_those_allowed() -> None:
    """Which symbols come at all, among many draws."""
    logits = np.log(np.array([0.1, 0.4, 0.05, 0.25, 0.2]))
    wanted = [
        (Sampler(min_p=0.45), {1, 3, 4}),
        (Sampler(0.5, min_p=0.5), {1}),
        (Sampler(top_p=0.6), {1, 3}),
        (Sampler(top_k=2, top_p=0.9), {1, 3}),
        (Sampler(0.0), {1}),
    ]
    for sampler, symbols in wanted:
        rng = np.random.default_rng(0)
        assert {sampler.draw(logits, rng) for _ in range(60)} == symbols
    test_sampling.test_what_was_written_becomes_less_likely()
    assert list(until(["END"], ["a", "E", "b", "EN", "D", "c"])) == ["a", "Eb"]
    assert "".join(until(["b", "ab"], ["a", "b", "c"])) == ""
    assert "".join(until(["xyz"], ["a", "xy"])) == "axy"


OPTIONS: list[tuple[Callable[[], None], list[Bug]]] = [
    (
        both_ways,
        of(
            "layers",
            ("bidirectional", "backwards(Reverse()(x, *lengths), *lengths)", "backwards(x, *lengths)"),
            ("bidirectional", "Reverse()(back, *lengths))", "back)"),
            ("bidirectional", '"mean": Mean}', '"mean": Add}'),
            ("bidirectional", "both.ends = (ahead, back)", "pass"),
        ),
    ),
    (
        muon_follows_its_rule,
        of(
            "optim",
            ("muon", "g + momentum * u if", "g + u if"),
            ("muon", "(b * A + c * (A @ A)) @ X", "(b * A + c * A) @ X"),
            ("muon", "math.sqrt(max(1.0, w.shape[1] / w.shape[0]))", "1.0"),
            ("muon", "w *= 1 - lr * current(self.weight_decay, clock)", "pass"),
            ("muon", "u *= momentum", "pass"),
        ),
    ),
    (
        groups_have_their_own,
        of(
            "optim",
            ("groups", "found |= group", "found = group | found"),
            ("groups", "steps < self.freeze", "steps <= self.freeze"),
            ("groups", "key == before and", "True and"),
            ("optimizer", "gradient[segment.part] = 0", "pass"),
            ("groups", "steps - int(self.freeze) if math.isfinite(self.freeze) else steps", "steps"),
        ),
    ),
    (
        batches_add_up_and_weights_are_averaged,
        of(
            "training",
            ("gradient", "weight * model.executor.gradient", "model.executor.gradient"),
            ("gradient", "1 / max(count, 1.0) if", "1.0 if"),
            ("gradient", "loss + weight * own", "loss + own"),
            ("average", "(1 + progress.step) / (HEAD_START + progress.step)", "1.0"),
            ("average", "(1 - self._decay(progress)) *", "self._decay(progress) *"),
            ("average", "validation[: -1 - self.patience]", "validation[: -self.patience]"),
            ("average", "progress.averaged > 0 or", "False or"),
        ),
    ),
    (
        beams_are_the_best,
        of(
            "generate",
            ("beam", "((5 + length) / 6)", "((6 + length) / 6)"),
            ("beam", "** self.length_penalty", "** -self.length_penalty"),
            ("beam", "log_ps[:, None] + next_log_p(", "next_log_p("),
            ("beam", "np.arange(totals.shape[1]) != end", "np.arange(totals.shape[1]) == -1"),
            ("beam", "finished.sort(reverse=True)", "pass"),
        ),
    ),
    (
        symbols_are_those_allowed,
        of(
            "generate",
            ("sampler", "p < self.min_p", "p < self.min_p * p.sum()"),
            ("sampler", "(sums - p[order]) < self.top_p", "sums < self.top_p"),
            ("sampler", "np.where(logits > 0, logits / self", "np.where(logits < 9e9, logits / self"),
            ("sampler", "np.where(written, less, logits)", "less"),
            ("sampling", "written[symbol] = True", "pass"),
            ("sampling", "held[: min(found)[1]]", "held[: min(found)[0]]"),
            ("sampling", "    if held:\n        yield held\n", ""),
            ("sampling", "held.endswith(string[:n])", "held.endswith(string)"),
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("check", "bugs"), OPTIONS, ids=[check.__name__ for check, _ in OPTIONS])
def test_options(check: Callable[[], None], bugs: list[Bug], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(dispatch.VARIABLE, dispatch.NUMPY)
    notices_all(check, bugs)
