"""The layers, one concept a file."""

from minidl.layers.activation import Activation
from minidl.layers.bidirectional import Bidirectional
from minidl.layers.cell import Cell
from minidl.layers.dense import Dense
from minidl.layers.dropout import Dropout
from minidl.layers.embedding import Embedding
from minidl.layers.gru import GRU
from minidl.layers.layer_norm import LayerNorm
from minidl.layers.lstm import LSTM
from minidl.layers.merge import Add, Concat, Mean
from minidl.layers.mse import MSE
from minidl.layers.one_hot import OneHot
from minidl.layers.rnn import RNN
from minidl.layers.sigmoid_ce import SigmoidCE
from minidl.layers.softmax_ce import SoftmaxCE
from minidl.layers.steps import Last, LastState, Reverse

__all__ = [
    "GRU",
    "LSTM",
    "MSE",
    "RNN",
    "Activation",
    "Add",
    "Bidirectional",
    "Cell",
    "Concat",
    "Dense",
    "Dropout",
    "Embedding",
    "Last",
    "LastState",
    "LayerNorm",
    "Mean",
    "OneHot",
    "Reverse",
    "SigmoidCE",
    "SoftmaxCE",
]
