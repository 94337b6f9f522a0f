"""Writes the notebooks that a teacher hands out, in English and Spanish, from one list of cells; outputs stay empty.

python docs/build_notebooks.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("notebooks")
LANGUAGES = {"en": "recurrent_cell.ipynb", "es": "celda_recurrente.ipynb"}

# Text in English and Spanish, or code.
CELLS: tuple[tuple[str, str] | str, ...] = (
    (
        "# A recurrent cell: built, trained, broken, mended\n\nNeeds `pip install 'minidl[view]'`. Every cell runs in "
        "seconds; change the numbers and run them again.",
        "# Una celda recurrente: construida, entrenada, rota, reparada\n\nNecesita `pip install 'minidl[view]'`. Cada "
        "celda tarda segundos; cambie los números y ejecútela otra vez.",
    ),
    """\
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minidl import Input, Layer, Model
from minidl.data import Text
from minidl.generate import Sampler, sample_text
from minidl.graph.arrays import InputSpec, Out, Param, State
from minidl.layers import LSTM, Dense, OneHot, SoftmaxCE
from minidl.notebook import plot_gates, plot_influence, view
from minidl.optim import Adam
from minidl.testing.gradcheck import gradcheck""",
    (
        "## Build it\n\nThe memory h of each step comes from the input and from the step before:\n\n"
        "$$h = \\tanh(x W_x + h_{prev} W_h + b)$$\n\nA layer says which arrays it needs (`arrays`), computes (`forward`), "
        "and takes a gradient back (`backward`). dh comes from the output and from the step after; the slope of tanh is "
        "1 - h².",
        "## Construirla\n\nLa memoria h de cada paso viene de la entrada y del paso anterior:\n\n"
        "$$h = \\tanh(x W_x + h_{prev} W_h + b)$$\n\nUna capa dice qué arreglos necesita (`arrays`), calcula (`forward`) y "
        "lleva un gradiente hacia atrás (`backward`). dh viene de la salida y del paso siguiente; la pendiente de tanh es "
        "1 - h².",
    ),
    """\
@dataclass(frozen=True)
class MyCell(Layer):
    units: int

    inputs = {"x": InputSpec("T B F")}

    def arrays(self, x):
        (T, B, F), H = x, self.units
        return {
            "Wx": Param((F, H), "glorot"),
            "Wh": Param((H, H), "orthogonal"),
            "b": Param((H,)),
            "h": State((T + 1, B, H)),
            "y": Out((T, B, H), steps_of="h"),
        }

    def forward(self, x, Wx, Wh, b, h):
        for t in range(len(x)):
            h[t + 1] = np.tanh(x[t] @ Wx + h[t] @ Wh + b)

    def backward(self, x, Wx, Wh, h, dy, dx, dWx, dWh, db):
        for gradient in (dWx, dWh, db):
            gradient[...] = 0
        dh_next = np.zeros_like(dy[0])
        for t in reversed(range(len(x))):
            dh = self.gradient_of_h(dy[t], dh_next)
            da = dh * (1 - h[t + 1] ** 2)
            dWx += x[t].T @ da
            dWh += h[t].T @ da
            db += da.sum(axis=0)
            dh_next = da @ Wh.T
            if dx is not None:
                dx[t] = da @ Wx.T

    def gradient_of_h(self, dy_t, dh_next):
        return dy_t + dh_next""",
    (
        "## Prove it\n\nEach gradient against the complex step, Im f(a + ih) / h, which has no subtraction and so no "
        "rounding to speak of. The errors are those of the last digits.",
        "## Demostrarla\n\nCada gradiente contra el paso complejo, Im f(a + ih) / h, que no resta nada y por eso apenas "
        "redondea. Los errores son los de las últimas cifras.",
    ),
    """\
def check(layer):
    model = Model(outputs={"y": layer(Input("x", depth=4))})
    x = np.random.default_rng(0).standard_normal((6, 3, 4))
    for found in gradcheck(model, {"x": x}):
        print(f"{found.array:12} {found.error:.0e} {'' if found.passed else 'WRONG'}")


check(MyCell(5))""",
    (
        "## Train it\n\nThe help texts that come with Python, character by character. The loss is the mean surprise in "
        "nats; guessing among all symbols would be log V.",
        "## Entrenarla\n\nLos textos de ayuda que trae Python, carácter por carácter. La pérdida es la sorpresa media en "
        "nats; adivinar entre todos los símbolos sería log V.",
    ),
    """\
text = Text("pydoc_topics", batch_size=32, seq_len=32).load(Path())
V = len(text.vocabulary)


def train(layer, steps=150):
    ids, targets = Input("ids", dtype="int", depth=V), Input("targets", dtype="int", depth=V)
    logits = Dense(V)(layer(OneHot()(ids)))
    model = Model(SoftmaxCE()(logits, targets), outputs={"logits": logits})
    model.vocabulary, adam = text.vocabulary, Adam(lr=1e-2, clip_norm=1.0)
    for step in range(steps):
        loss = model.forward(**text.train.batch(step).inputs)["loss"]
        model.backward()
        adam.step(model)
    print(f"{type(layer).__name__}: loss {loss:.2f} after {steps} steps; guessing {np.log(V):.2f}")
    return model


mine = train(MyCell(48))
print("".join(sample_text(mine, prime="The ", length=120, sampler=Sampler(temperature=0.7))))""",
    (
        "## Break it\n\nLeave out the gradient that comes from the step after. The network still runs, the loss still "
        "falls, and nothing looks broken; only the check notices.",
        "## Romperla\n\nQuite el gradiente que viene del paso siguiente. La red sigue corriendo, la pérdida sigue bajando y "
        "nada parece roto; solo la comprobación lo nota.",
    ),
    """\
class Broken(MyCell):
    def gradient_of_h(self, dy_t, dh_next):
        return dy_t


check(Broken(5))
broken = train(Broken(48))""",
    (
        "## Mend it\n\nWhich line would you change? Write it here, until the check has no WRONG left. `minidl lesson` has "
        "ten more.",
        "## Repararla\n\n¿Qué línea cambiaría? Escríbala aquí, hasta que la comprobación no diga WRONG. `minidl lesson` "
        "tiene diez más.",
    ),
    """\
class Mended(Broken):
    def gradient_of_h(self, dy_t, dh_next):
        return dy_t + dh_next  # yours


check(Mended(5))""",
    (
        "## See it think\n\nAn LSTM on the same text: its gates over a sentence, what each symbol adds to the prediction, "
        "and the page that runs it (type into it).",
        "## Verla pensar\n\nUna LSTM con el mismo texto: sus puertas sobre una frase, lo que cada símbolo añade a la "
        "predicción, y la página que la ejecuta (escriba en ella).",
    ),
    """\
lstm = train(LSTM(48))
plot_gates(lstm, "The value of the expression")""",
    """\
plot_influence(lstm, "The value of the expression")""",
    """\
view(lstm, "The value of the expression")""",
)


def notebook(language: str) -> dict[str, Any]:
    """A notebook in the format of Jupyter."""
    column = list(LANGUAGES).index(language)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": [_cell(number, cell, column) for number, cell in enumerate(CELLS)],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(number: int, cell: tuple[str, str] | str, column: int) -> dict[str, Any]:
    text = cell if isinstance(cell, str) else cell[column]
    shared = {"id": f"cell-{number}", "metadata": {}, "source": text.splitlines(keepends=True)}
    if isinstance(cell, str):
        return {"cell_type": "code", "execution_count": None, "outputs": [], **shared}
    return {"cell_type": "markdown", **shared}


def written(language: str) -> str:
    """The file of a notebook."""
    return json.dumps(notebook(language), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each, file in LANGUAGES.items():
        (FOLDER / file).write_text(written(each), encoding="utf-8")
