"""Data as the trainer sees it: texts, tables and arrays, cut into batches that are found by their step number."""

from minidl.data.arrays import ArrayBatches, Arrays, from_arrays
from minidl.data.baselines import baselines
from minidl.data.batches import ArraySpec, Batch, Batches, Dataset
from minidl.data.data import Data
from minidl.data.forecasting import Forecasting
from minidl.data.labels import Classification, Tagging
from minidl.data.sources import read_text
from minidl.data.streams import Streams, evaluation_streams
from minidl.data.table import Table
from minidl.data.task import Task
from minidl.data.text import Text
from minidl.data.vocabulary import Vocabulary
from minidl.data.words import UNKNOWN, join_words, split_words

__all__ = [
    "UNKNOWN",
    "ArrayBatches",
    "ArraySpec",
    "Arrays",
    "Batch",
    "Batches",
    "Classification",
    "Data",
    "Dataset",
    "Forecasting",
    "Streams",
    "Table",
    "Tagging",
    "Task",
    "Text",
    "Vocabulary",
    "baselines",
    "evaluation_streams",
    "from_arrays",
    "join_words",
    "read_text",
    "split_words",
]
