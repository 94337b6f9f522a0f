"""docs/coming_from.md says of PyTorch and Keras what is so in the libraries themselves."""

from __future__ import annotations

import inspect
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidl import Input, Model
from minidl.layers import GRU, LSTM, RNN, Activation, Dense, Embedding, Last, LayerNorm, OneHot, SigmoidCE, SoftmaxCE
from minidl.optim import SGD, Adam, AdamW, Cosine, Piecewise, Plateau, Restarts, RMSprop
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


def array(tensor: Any) -> Any:
    return tensor.detach().numpy()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_recurrent_layers_and_tables_of_keras(keras: Any) -> None:
    """The gates of a GRU lie otherwise, and its biases in two rows."""
    x = X.swapaxes(0, 1)
    for ours, theirs in ((RNN(H), keras.layers.SimpleRNN), (GRU(H), keras.layers.GRU)):
        peer, name = theirs(H, return_sequences=True, bias_initializer="glorot_uniform"), ours.default_name()
        y = array(peer(x))
        model = of(ours)
        names = (f"{name}/{part}" for part in ("kernel", "recurrent_kernel", "bias"))
        model.load_weights(dict(zip(names, peer.get_weights(), strict=True)), layout="keras")
        np.testing.assert_allclose(model.forward(x=X)["y"].swapaxes(0, 1), y, atol=1e-6)
    z, r, h = np.split(peer.get_weights()[0], 3, axis=1)
    np.testing.assert_array_equal(model.parameters["gru/Wx"], np.concatenate([r, z, h], axis=1))
    assert peer.get_weights()[2].shape == (2, 3 * H)
    dense = keras.layers.Dense(H)
    dense(x)
    assert dense.get_weights()[0].shape == of(Dense(H, name="dense")).parameters["dense/W"].shape


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_dropout_of_states_in_keras(keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the mask that Keras draws, which is one for all steps, ours come to what it comes to."""
    peer, masks = keras.layers.SimpleRNN(H, return_sequences=True, recurrent_dropout=0.4), []
    draw = peer.cell.get_recurrent_dropout_mask
    monkeypatch.setattr(type(peer.cell), "get_recurrent_dropout_mask", lambda _, h: masks.append(draw(h)) or masks[-1])
    y = array(peer(X.swapaxes(0, 1), training=True))
    assert all((array(mask) == array(masks[0])).all() for mask in masks)
    model = of(RNN(H, state_dropout=0.4))
    names = ("rnn/kernel", "rnn/recurrent_kernel", "rnn/bias")
    model.load_weights(dict(zip(names, peer.get_weights(), strict=True)), layout="keras")
    monkeypatch.setattr(RNN, "draw_state_mask", lambda _, mask, *__: np.copyto(mask, array(masks[0])))
    np.testing.assert_allclose(model.forward(x=X)["y"].swapaxes(0, 1), y, atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_symbols(keras: Any) -> None:
    ids = np.array([[0, 2], [1, 4]])
    given = Input("ids", dtype="int", depth=5)
    rows = Model(outputs={"y": OneHot()(given)}).forward(ids=ids)["y"]
    np.testing.assert_array_equal(rows, torch.nn.functional.one_hot(torch.tensor(ids), 5))
    np.testing.assert_array_equal(rows[0], keras.layers.CategoryEncoding(5, output_mode="one_hot")(ids[0]))
    model, net, peer = (
        Model(outputs={"y": Embedding(3, name="table")(given)}),
        torch.nn.Embedding(5, 3),
        keras.layers.Embedding(5, 3),
    )
    peer(ids)
    peer.set_weights([array(net.weight)])
    model.parameters["table/table"] = array(net.weight)
    for theirs in (net(torch.tensor(ids)), peer(ids)):
        np.testing.assert_array_equal(model.forward(ids=ids)["y"], array(theirs))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_losses_of_keras(keras: Any) -> None:
    """Targets that do not count are named by a mask of the predictions."""
    targets = np.array([[0, 2], [1, 1], [2, 0], [-1, 1]])
    y = Input("y", depth=F)
    ours = Model(SoftmaxCE()(y, Input("t", dtype="int", depth=F)), {}).forward(y=X, t=targets)["loss"]
    logits = torch.tensor(X)
    logits._keras_mask = torch.tensor(targets >= 0)
    peer = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    assert ours == pytest.approx(float(peer(np.maximum(targets, 0), logits)) / 7, rel=1e-5)
    yes = (X > 0).astype(np.float32)
    ours = Model(SigmoidCE()(y, Input("t", depth=F)), {}).forward(y=X, t=yes)["loss"]
    assert ours == pytest.approx(float(keras.losses.BinaryCrossentropy(from_logits=True)(yes, X)), rel=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    ("ours", "name", "settings"),
    [
        (Adam(0.1, weight_decay=0.1, dialect="keras"), "Adam", {"weight_decay": 0.1}),
        (SGD(0.1, clip_norm=0.5), "SGD", {"global_clipnorm": 0.5}),
        (SGD(0.1), "SGD", {"gradient_accumulation_steps": 2}),
    ],
)
def test_steps_of_keras(ours: Any, name: str, settings: dict[str, Any], keras: Any) -> None:
    """Decay beside the gradient, clipping by the norm of all, and two batches that make one step."""
    w, theirs = np.array([1.0, -2.0]), keras.Variable([1.0, -2.0], dtype="float64")
    peer = getattr(keras.optimizers, name)(learning_rate=0.1, **settings)
    g = np.array([0.3, 0.8])
    for _ in range(2):
        ours.update(w, g.copy())
        for _ in range(settings.get("gradient_accumulation_steps", 1)):
            peer.apply([torch.tensor(g)], [theirs])
    np.testing.assert_allclose(w, theirs.numpy(), rtol=1e-5)  # powers of β are of float32 there


def test_steps_of_pytorch() -> None:
    """Adam's decay is added to the gradient there, which is l2 here; clip_grad_norm_ is clip_norm."""
    g = np.array([0.3, 0.8])
    for ours, peer, settings in (
        (Adam(0.1, l2=0.1), torch.optim.Adam, {"weight_decay": 0.1}),
        (SGD(0.1, clip_norm=0.5), torch.optim.SGD, {}),
    ):
        w, theirs = np.array([1.0, -2.0]), torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
        optimizer = peer([theirs], lr=0.1, **settings)
        for _ in range(2):
            ours.update(w, g.copy())
            theirs.grad = torch.tensor(g)
            if ours.clip_norm:
                torch.nn.utils.clip_grad_norm_([theirs], ours.clip_norm)
            optimizer.step()
        np.testing.assert_allclose(w, array(theirs), rtol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_schedules_of_keras(keras: Any) -> None:
    schedules = keras.optimizers.schedules
    pairs = [
        (Piecewise((1.0, 0.1), boundaries=(3,)), schedules.PiecewiseConstantDecay([2], [1.0, 0.1])),
        (Restarts(1.0, period=4, growth=2), schedules.CosineDecayRestarts(1.0, 4, t_mul=2.0)),
    ]
    for ours, theirs in pairs:
        assert [ours.value(Clock(t)) for t in range(11)] == pytest.approx(
            [float(theirs(t)) for t in range(11)], abs=1e-6
        )
    callback = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=2, min_delta=0.0)
    callback.set_model(types.SimpleNamespace(optimizer=keras.optimizers.SGD(1.0)))
    peer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    later = torch.optim.lr_scheduler.ReduceLROnPlateau(peer, factor=0.5, patience=1, threshold=0.0)
    losses, plateau = [1.0, 0.9, 0.9, 0.95, 0.8, 0.9, 0.9, 0.9], Plateau(1.0, factor=0.5, patience=2)
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        later.step(loss)
        lr = plateau.value(Clock(validation=losses[: epoch + 1]))
        assert lr == float(callback.model.optimizer.learning_rate) == peer.param_groups[0]["lr"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_where_weights_are_found(keras: Any) -> None:
    net, model = torch.nn.Linear(F, H), of(Dense(H, name="dense"))
    assert list(dict(net.named_parameters())) == list(net.state_dict()) == ["weight", "bias"]
    dense = keras.layers.Dense(H)
    dense(X)
    assert [list(weight.shape) for weight in dense.weights] == [list(w.shape) for w in model.parameters.values()]
    assert model.state_dict().keys() == {f"parameters/{name}" for name in model.parameters}


def test_every_row_has_its_test() -> None:
    """The first cell of each row of the page, by the test that is about it."""
    rows = {line.split("|")[1].strip() for line in PAGE.splitlines() if line.startswith("| ")}
    of_a_test = {row: test for test, rows in ROWS.items() for row in rows}
    assert rows - {"", "minidl"} == of_a_test.keys()
    assert all(callable(globals()[f"test_{test}"]) for test in ROWS)


ROWS = {
    "layouts_of_pytorch": ["sequences", "every step of a recurrent layer", "gates of an LSTM", "bias of an LSTM"],
    "layouts_of_keras": ["the last step", "bias of the forget gate"],
    "recurrent_layers_and_tables_of_keras": [
        *("weights of a Dense", "gates of a GRU", "biases of a GRU", "`RNN`, `GRU`, `LSTM`"),
    ],
    "dropout_of_states_in_keras": ["`state_dropout`, of states; `recurrent_dropout`, of weights"],
    "symbols": ["`OneHot`, `Embedding`"],
    "dense_is_linear": ["`Dense`"],
    "losses_of_pytorch": ["`SoftmaxCE`"],
    "losses_of_keras": ["targets that do not count", "`SigmoidCE`"],
    "defaults": [
        "eps of LayerNorm",
        "learning rate of Adam",
        "weight decay of AdamW",
        "lr of RMSprop, ρ",
        "eps of Adam",
    ],
    "gelu": ["`gelu`", "`gelu_tanh`"],
    "steps_of_keras": ["`clip_norm`", "`train.accumulate`"],
    "steps_of_pytorch": ["`weight_decay` of Adam"],
    "momentum_of_keras_has_the_learning_rate_inside": ["momentum"],
    "schedules_of_keras": ["patience of a plateau", "`piecewise`, `restarts`, `one_cycle`"],
    "warm_up_of_keras_begins_at_zero": ["`warmup`, `cosine` with `from_zero: true`"],
    "where_weights_are_found": ["`model.parameters`, `model.state_dict()`"],
    "the_page_names_what_there_is": ["`train.average_weights`"],
}


def test_the_page_names_what_there_is(keras: Any) -> None:
    """Every name in code of the columns of PyTorch and Keras exists there."""
    schedulers = vars(torch.optim.lr_scheduler) | vars(torch.nn) | vars(torch.optim.swa_utils)
    for name in ("MultiStepLR", "CosineAnnealingWarmRestarts", "OneCycleLR", "Linear", "BCEWithLogitsLoss"):
        assert name in PAGE
        assert name in schedulers
    assert "AveragedModel" in schedulers
    assert hasattr(torch.optim, "ASGD")
    for name in ("PiecewiseConstantDecay", "CosineDecayRestarts", "CosineDecay"):
        assert hasattr(keras.optimizers.schedules, name)
    for name in ("global_clipnorm", "gradient_accumulation_steps", "use_ema"):
        assert name in inspect.signature(keras.optimizers.Adam).parameters
