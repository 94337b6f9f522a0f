"""The layers, one concept a file."""

from minidl.layers.activation import Activation
from minidl.layers.additive_attention import AdditiveAttention
from minidl.layers.attention import Attention
from minidl.layers.bidirectional import Bidirectional
from minidl.layers.cell import Cell
from minidl.layers.conv1d import Conv1D
from minidl.layers.crf import CRF
from minidl.layers.ctc import CTC
from minidl.layers.dense import Dense
from minidl.layers.dropout import Dropout
from minidl.layers.embedding import Embedding
from minidl.layers.gaussian_nll import GaussianNLL
from minidl.layers.gru import GRU
from minidl.layers.huber import Huber
from minidl.layers.layer_norm import LayerNorm
from minidl.layers.lstm import LSTM
from minidl.layers.mae import MAE
from minidl.layers.merge import Add, Concat, Mean
from minidl.layers.min_gru import MinGRU
from minidl.layers.min_lstm import MinLSTM
from minidl.layers.mse import MSE
from minidl.layers.multiply import Multiply
from minidl.layers.one_hot import OneHot
from minidl.layers.poisson_nll import PoissonNLL
from minidl.layers.pool import Pool
from minidl.layers.quantile import Quantile
from minidl.layers.repeat import Repeat
from minidl.layers.rnn import RNN
from minidl.layers.sigmoid_ce import SigmoidCE
from minidl.layers.slice import Slice
from minidl.layers.slstm import SLSTM
from minidl.layers.softmax_ce import SoftmaxCE
from minidl.layers.steps import Last, LastState, Reverse

__all__ = [
    "CRF",
    "CTC",
    "GRU",
    "LSTM",
    "MAE",
    "MSE",
    "RNN",
    "SLSTM",
    "Activation",
    "Add",
    "AdditiveAttention",
    "Attention",
    "Bidirectional",
    "Cell",
    "Concat",
    "Conv1D",
    "Dense",
    "Dropout",
    "Embedding",
    "GaussianNLL",
    "Huber",
    "Last",
    "LastState",
    "LayerNorm",
    "Mean",
    "MinGRU",
    "MinLSTM",
    "Multiply",
    "OneHot",
    "PoissonNLL",
    "Pool",
    "Quantile",
    "Repeat",
    "Reverse",
    "SigmoidCE",
    "Slice",
    "SoftmaxCE",
]
