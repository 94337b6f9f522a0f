"""docs/coming_from.md says of PyTorch and Keras what is so in the libraries themselves."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidl import Input, Model
from minidl.layers import GRU, LSTM, Activation, Dense, Last, LayerNorm, SigmoidCE, SoftmaxCE
from minidl.optim import SGD, Adam, AdamW, Cosine, RMSprop
from minidl.optim.schedules import Clock

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'minidl[torch]'")
PAGE = (Path(__file__).parent.parent / "docs" / "coming_from.md").read_text()
T, B, F, H = 4, 2, 3, 5
X = np.random.default_rng(0).standard_normal((T, B, F)).astype(np.float32)


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return pytest.importorskip("keras", reason="Keras is not installed: pip install 'minidl[torch]'")


def default(function: Any, name: str) -> Any:
    return inspect.signature(function).parameters[name].default


def row(start: str) -> list[str]:
    """The cells of a row of the page."""
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def of(layer: Any) -> Model:
    return Model(outputs={"y": layer(Input("x", depth=F))})


def test_layouts_of_pytorch() -> None:
    model, net = of(LSTM(H)), torch.nn.LSTM(F, H)
    model.load_weights({f"lstm.{name}": array for name, array in net.state_dict().items()}, layout="torch")
    y, (h, _) = net(torch.tensor(X))
    np.testing.assert_allclose(model.forward(x=X)["y"], y.detach(), atol=1e-6)
    np.testing.assert_allclose(model.state["lstm/h"], h[0].detach(), atol=1e-6)
    np.testing.assert_array_equal(model.parameters["lstm/Wx"], net.weight_ih_l0.detach().T)
    np.testing.assert_array_equal(model.parameters["lstm/b"], (net.bias_ih_l0 + net.bias_hh_l0).detach())
    gru, theirs = of(GRU(H)), torch.nn.GRU(F, H)
    gru.load_weights({f"gru.{name}": array for name, array in theirs.state_dict().items()}, layout="torch")
    np.testing.assert_array_equal(gru.parameters["gru/Wx"], theirs.weight_ih_l0.detach().T)
    np.testing.assert_array_equal(gru.parameters["gru/bh"], theirs.bias_hh_l0.detach())
    assert row("weights of a Dense")[2] == "transposed"
    assert torch.nn.Linear(F, H).weight.shape == (H, F)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_layouts_of_keras(keras: Any) -> None:
    theirs = keras.layers.LSTM(H, return_sequences=True)
    y = theirs(X.swapaxes(0, 1))
    model = of(LSTM(H, name="lstm"))
    for name, array in zip(("Wx", "Wh", "b"), theirs.get_weights(), strict=True):
        model.parameters[f"lstm/{name}"] = array
    np.testing.assert_allclose(model.forward(x=X)["y"].swapaxes(0, 1), y.detach(), atol=1e-6)
    last = keras.layers.LSTM(H)
    last(X.swapaxes(0, 1))
    last.set_weights(theirs.get_weights())
    short = Model(outputs={"y": Last()(LSTM(H, name="lstm")(Input("x", depth=F)))})
    short.weights.flat[...] = model.weights.flat
    np.testing.assert_allclose(short.forward(x=X)["y"], last(X.swapaxes(0, 1)).detach(), atol=1e-6)
    bias = theirs.get_weights()[2].reshape(4, H)
    assert bias[1].tolist() == [1.0] * H
    assert not bias[[0, 2, 3]].any()
    assert of(LSTM(H)).parameters["lstm/b"].reshape(4, H)[1].tolist() == [1.0] * H
    assert keras.layers.GRU(H).reset_after


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_defaults(keras: Any) -> None:
    assert (LayerNorm().eps, default(torch.nn.LayerNorm, "eps"), keras.layers.LayerNormalization().epsilon) == (
        *(1e-5, 1e-5, 1e-3),
    )
    adam = keras.optimizers.Adam()
    assert float(adam.learning_rate) == pytest.approx(Adam().lr)
    assert (Adam().eps, default(torch.optim.Adam, "eps"), adam.epsilon) == (1e-8, 1e-8, 1e-7)
    assert (Adam().lr, default(torch.optim.Adam, "lr")) == (1e-3, 1e-3)
    decays = AdamW().weight_decay, default(torch.optim.AdamW, "weight_decay"), keras.optimizers.AdamW().weight_decay
    assert decays == (0.01, 0.01, 0.004)
    rms = keras.optimizers.RMSprop()
    assert (RMSprop().lr, default(torch.optim.RMSprop, "lr"), float(rms.learning_rate)) == pytest.approx(
        (1e-3, 1e-2, 1e-3)
    )
    assert (RMSprop().rho, default(torch.optim.RMSprop, "alpha"), rms.rho) == (0.9, 0.99, 0.9)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize(("kind", "tanh"), [("gelu", False), ("gelu_tanh", True)])
def test_gelu(kind: str, tanh: bool, keras: Any) -> None:
    ours = of(Activation(kind)).forward(x=X)["y"]  # type: ignore[arg-type]
    theirs = torch.nn.functional.gelu(torch.tensor(X), approximate="tanh" if tanh else "none")
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    np.testing.assert_allclose(ours, keras.ops.gelu(torch.tensor(X), approximate=tanh), atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_momentum_of_keras_has_the_learning_rate_inside(keras: Any) -> None:
    """With a learning rate that falls to zero, ours stops at once, theirs rolls on."""
    w, ours = np.array([1.0]), SGD(lr=0.1, momentum=0.9)
    theirs = keras.Variable([1.0], dtype="float64")
    peer = keras.optimizers.SGD(learning_rate=0.1, momentum=0.9)
    parameter = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    third = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    for lr in (0.1, 0.0):
        SGD.update(ours if lr else _with_history(ours, lr), w, np.ones(1))
        peer.learning_rate = lr
        peer.apply([torch.ones(1, dtype=torch.float64)], [theirs])
        third.param_groups[0]["lr"], parameter.grad = lr, torch.ones(1, dtype=torch.float64)
        third.step()
    assert w[0] == pytest.approx(0.9)
    assert float(parameter) == pytest.approx(0.9)
    assert float(theirs.numpy()[0]) == pytest.approx(0.9 - 0.09)


def _with_history(sgd: SGD, lr: float) -> SGD:
    other = SGD(lr=lr, momentum=sgd.momentum)
    other.load_state_dict(sgd.state_dict())
    return other


def test_losses_of_pytorch() -> None:
    logits, targets = X, np.array([[0, 2], [1, 1], [2, 0], [-1, 1]])
    y, t = Input("y", depth=F), Input("t", dtype="int", depth=F)
    loss = Model(SoftmaxCE()(y, t), {}).forward(y=logits, t=targets)["loss"]
    peer = torch.nn.CrossEntropyLoss(ignore_index=-1)
    assert loss == pytest.approx(float(peer(torch.tensor(logits).reshape(-1, F), torch.tensor(targets).reshape(-1))))
    assert default(torch.nn.CrossEntropyLoss, "ignore_index") == -100
    yes = (X > 0).astype(np.float32)
    ours = Model(SigmoidCE()(y, Input("t", depth=F)), {}).forward(y=logits, t=yes)["loss"]
    assert ours == pytest.approx(float(torch.nn.BCEWithLogitsLoss()(torch.tensor(logits), torch.tensor(yes))))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_warm_up_of_keras_begins_at_zero(keras: Any) -> None:
    theirs = keras.optimizers.schedules.CosineDecay(0.0, 20, warmup_target=1.0, warmup_steps=5)
    ours = Cosine(1.0, warmup_steps=5, total_steps=25, from_zero=True)
    assert [ours.value(Clock(t)) for t in range(25)] == pytest.approx([float(theirs(t)) for t in range(25)], abs=1e-6)


def test_dense_is_linear() -> None:
    net, model = torch.nn.Linear(F, H), of(Dense(H, name="dense"))
    model.load_weights({f"dense.{name}": array for name, array in net.state_dict().items()}, layout="torch")
    np.testing.assert_allclose(model.forward(x=X)["y"], net(torch.tensor(X)).detach(), atol=1e-6)


def test_the_page_names_what_there_is(keras: Any) -> None:
    """Every name in code of the columns of PyTorch and Keras exists there."""
    schedulers = vars(torch.optim.lr_scheduler) | vars(torch.nn) | vars(torch.optim.swa_utils)
    for name in ("MultiStepLR", "CosineAnnealingWarmRestarts", "OneCycleLR", "Linear", "BCEWithLogitsLoss"):
        assert name in PAGE
        assert name in schedulers
    assert "AveragedModel" in schedulers
    for name in ("PiecewiseConstantDecay", "CosineDecayRestarts", "CosineDecay"):
        assert hasattr(keras.optimizers.schedules, name)
    for name in ("global_clipnorm", "gradient_accumulation_steps", "use_ema"):
        assert name in inspect.signature(keras.optimizers.Adam).parameters
