"""Data as the trainer sees it: texts, tables and arrays, cut into batches that are found by their step number."""

from minidl.data.array_data import ArrayBatches, Arrays, from_arrays
from minidl.data.baselines import baselines
from minidl.data.batches import ArraySpec, Batch, Batches, Dataset
from minidl.data.data import Data
from minidl.data.rows_given import from_rows
from minidl.data.series import Series
from minidl.data.sources import read_text
from minidl.data.streams import Streams, evaluation_streams
from minidl.data.table import Table
from minidl.data.tasks.classification import Classification
from minidl.data.tasks.documents import Documents
from minidl.data.tasks.forecasting import Forecasting
from minidl.data.tasks.labels import Labels
from minidl.data.tasks.reader import Reader
from minidl.data.tasks.regression import Regression
from minidl.data.tasks.split import Split
from minidl.data.tasks.tagging import Tagging
from minidl.data.tasks.task import Task
from minidl.data.tasks.translation import Translation
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
    "Documents",
    "Forecasting",
    "Labels",
    "Reader",
    "Regression",
    "Series",
    "Split",
    "Streams",
    "Table",
    "Tagging",
    "Task",
    "Text",
    "Translation",
    "Vocabulary",
    "baselines",
    "evaluation_streams",
    "from_arrays",
    "from_rows",
    "join_words",
    "read_text",
    "split_words",
]
