"""The ten exercises: a layer, the line that is replaced by a wrong one, and why the right one matters."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

HEADER = '''"""Lesson {number} of {count}: {title}.

One line of `backward` below is wrong; the equations and `forward` are right. Find it, mend it, and run

    minidl lesson check

which proves each gradient by the complex step. {hint}
"""

from dataclasses import dataclass

import numpy as np

from minidl import Layer
from minidl.graph.arrays import Cache, InputSpec, Out, Param, State  # noqa: F401  not each is needed


'''


@dataclass(frozen=True)
class Exercise:
    """One lesson.

    layer: the file of the layer, without its ending. right: a line of it; wrong: what stands in its place. hint:
    where to look. why: what the mistake would have done.
    """

    number: int
    title: str
    layer: str
    right: str
    wrong: str
    hint: str
    why: str

    @property
    def file(self) -> str:
        """The name of the file in the working folder."""
        return f"lesson_{self.number:02}_{self.layer}.py"

    def solution(self) -> str:
        """The file as it should be."""
        layer = resources.files("minidl.experiment.lessons").joinpath(f"{self.layer}.txt").read_text(encoding="utf-8")
        header = HEADER.format(number=self.number, count=len(EXERCISES), title=self.title, hint=self.hint)
        return header + layer

    def text(self) -> str:
        """The file with the mistake."""
        solution = self.solution()
        if solution.count(self.right) != 1:
            raise ValueError(f"lesson {self.number}: {self.right!r} occurs {solution.count(self.right)} times")
        return solution.replace(self.right, self.wrong)


EXERCISES = (
    Exercise(
        1,
        "a bias, added to every row",
        "dense",
        "dy.sum(axis=0)",
        "dy.mean(axis=0)",
        "How many rows does one bias feed?",
        "What is used several times has the sum of the gradients of its uses. With the mean, a bias would learn "
        "slower the larger the batch is, and nothing would look broken.",
    ),
    Exercise(
        2,
        "a symbol that occurs twice",
        "embedding",
        "np.add.at(dtable, ids, dy)",
        "dtable[ids] += dy",
        "What does NumPy do with an index that occurs twice?",
        "With `array[index] += values` NumPy writes once for each index: of a symbol that occurs twice only the last "
        "place would count. Frequent symbols would learn from a fraction of their places.",
    ),
    Exercise(
        3,
        "a loss that is a mean",
        "softmax_ce",
        "dlogits[...] = dy * (p - one_hot) / targets.size",
        "dlogits[...] = dy * (p - one_hot)",
        "Of how many places is the loss the mean?",
        "The gradient of a mean is divided by the count. Without that, the step would grow with the batch, and a "
        "learning rate that is right for one batch size would diverge with another.",
    ),
    Exercise(
        4,
        "a variance that depends on its inputs",
        "layer_norm",
        "dx[...] = (dn - mean - along) / root",
        "dx[...] = (dn - mean) / root",
        "The root is computed from x too.",
        "Mean and variance are functions of x, and each has its share of the gradient. Where one is treated as a "
        "constant the direction is wrong, but the loss often still falls: only a check notices.",
    ),
    Exercise(
        5,
        "the slope of tanh",
        "rnn",
        "da = dh * (1 - h_t**2)",
        "da = dh * (1 - h_prev**2)",
        "The slope belongs to the value that this step has computed.",
        "The derivative of tanh is written by its output, 1 - h², and that is the h of the same step. A step off, and "
        "units that are saturated seem to be free.",
    ),
    Exercise(
        6,
        "what Wh was multiplied by",
        "rnn",
        "dWh += h_prev.T @ da",
        "dWh += h_t.T @ da",
        "Which h did this step multiply by Wh?",
        "The gradient of a matrix is what went in times what came back. With the h that came out, Wh would learn from "
        "the future.",
    ),
    Exercise(
        7,
        "the way back through time",
        "rnn",
        "dh = dy[t] + dh_next",
        "dh = dy[t]",
        "By how many ways does h of a step reach the loss?",
        "Without the part from the step after, the network is trained as if each step stood alone: it can learn what "
        "follows a symbol, and nothing that takes memory.",
    ),
    Exercise(
        8,
        "what is forgotten",
        "lstm",
        "dc_next = dc * f",
        "dc_next = dc",
        "How did c_prev come into c?",
        "c_prev enters multiplied by f, so its gradient leaves multiplied by f. Without it the network would be blamed "
        "for what it had already forgotten. This product of f is also why an LSTM's gradient need not vanish.",
    ),
    Exercise(
        9,
        "the other factor of the forget gate",
        "lstm",
        "df = dc * c_prev * f * (1 - f)",
        "df = dc * c[t + 1] * f * (1 - f)",
        "Which cell state did f multiply?",
        "The gradient of a factor is the other factor. The new cell state resembles the old one, so the error is small "
        "where f is near 1: training would work, only worse.",
    ),
    Exercise(
        10,
        "the direct way of a GRU",
        "gru",
        "dh_next = dh * z + of_h @ Wh.T",
        "dh_next = of_h @ Wh.T",
        "In h = (1 - z) n + z h_prev, where does h_prev stand?",
        "The term z h_prev is the GRU's memory: along it the gradient goes back without a matrix. Without this way the "
        "GRU would be trained like a plain recurrent layer, and would forget like one.",
    ),
)
