"""Data as the trainer sees it: texts and arrays, cut into batches that are found by their step number."""

from minidl.data.arrays import ArrayBatches, Arrays, from_arrays
from minidl.data.baselines import baselines
from minidl.data.batches import Batch, Batches, Dataset, InputSpec
from minidl.data.data import Data
from minidl.data.sources import read_text
from minidl.data.streams import Streams, evaluation_streams
from minidl.data.text import Text
from minidl.data.vocabulary import Vocabulary
from minidl.data.words import UNKNOWN, join_words, split_words

__all__ = [
    "UNKNOWN",
    "ArrayBatches",
    "Arrays",
    "Batch",
    "Batches",
    "Data",
    "Dataset",
    "InputSpec",
    "Streams",
    "Text",
    "Vocabulary",
    "baselines",
    "evaluation_streams",
    "from_arrays",
    "join_words",
    "read_text",
    "split_words",
]
