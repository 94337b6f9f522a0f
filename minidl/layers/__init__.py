"""The layers, one concept a file."""

from minidl.layers.activation import Activation
from minidl.layers.bidirectional import Bidirectional
from minidl.layers.dense import Dense
from minidl.layers.dropout import Dropout
from minidl.layers.embedding import Embedding
from minidl.layers.gru import GRU
from minidl.layers.layer_norm import LayerNorm
from minidl.layers.lstm import LSTM
from minidl.layers.merge import Add, Concat
from minidl.layers.mse import MSE
from minidl.layers.one_hot import OneHot
from minidl.layers.rnn import RNN
from minidl.layers.sigmoid_ce import SigmoidCE
from minidl.layers.softmax_ce import SoftmaxCE
from minidl.layers.steps import Last, Reverse

__all__ = [
    "GRU",
    "LSTM",
    "MSE",
    "RNN",
    "Activation",
    "Add",
    "Bidirectional",
    "Concat",
    "Dense",
    "Dropout",
    "Embedding",
    "Last",
    "LayerNorm",
    "OneHot",
    "Reverse",
    "SigmoidCE",
    "SoftmaxCE",
]
