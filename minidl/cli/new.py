"""Begin a project: experiments, a model of its own, and a README; it runs at once."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from minidl.cli.arguments import Parser

EXAMPLES = """examples:
  minidl new shakespeare
  minidl run shakespeare/experiments/first.yaml
"""
FIRST = """# yaml-language-server: $schema=schema.json
# Put a text of your own in the place of pydoc_topics: a path from the folder of this file.
name: first
seed: 0
data:
  type: text
  source: pydoc_topics
  batch_size: 32
  seq_len: 64
model:
  layers:
    - {type: OneHot}
    - {type: LSTM, units: 96}
    - {type: Dense, units: "${data.vocab_size}"}
loss: {type: SoftmaxCE}
optimizer:
  type: Adam
  lr: {type: cosine, peak: 3e-2, warmup_steps: 200}
  weight_decay: 0.1
  clip_norm: 1.0
train:
  minutes: 1
  evaluate_every: {minutes: 0.25}
  sample_every: {minutes: 0.5}
sample: {prime: "The ", temperatures: [0.6, 0.8, 1.0]}
"""
SECOND = """# yaml-language-server: $schema=schema.json
# As first.yaml, but for what is said here.
extends: first.yaml
name: second
model: {type: network, units: 96}     # build() in models/network.py
"""
TABLE = """# yaml-language-server: $schema=schema.json
# Put a table of your own in the place of messages: a path from the folder of this file, and the names of its columns.
name: table
seed: 0
data:
  type: table
  source: messages       # text,kind; or CSV, TSV, JSON lines, Parquet, with encoding: latin-1 where it is no UTF-8
  task: {type: classification, text: text, label: kind, tokens: word, max_vocab: 5000}
model:
  layers:
    - {type: Embedding, units: 16}
    - {type: GRU, units: 16, inputs: [embedding, lengths]}
    - {type: Last, inputs: [gru, lengths]}
    - {type: Dense, units: "${data.classes}"}
loss: {type: SoftmaxCE, class_weights: balanced}
optimizer: {type: Adam, lr: 1e-2, clip_norm: 1.0}
train: {epochs: 4}
"""
NETWORK = '''"""A network of this project: layers are called on what feeds them."""

from minidl.layers import GRU, Add, Dense, Embedding


def build(ids, vocab_size: int, units: int = 96):
    """Logits of the next character. Arguments come by name: inputs and facts of the data, and the experiment's own."""
    first = GRU(units, name="first")(Embedding(units, name="characters")(ids))
    second = GRU(units, name="second")(first)
    return Dense(vocab_size, name="logits")(Add(name="skip")(first, second))
'''
README = """# NAME

    minidl run experiments/first.yaml           # train for a minute
    minidl run experiments/second.yaml          # another network
    minidl runs                                 # how they did
    tensorboard --logdir runs                   # watch them (pip install 'minidl[view]')
    minidl check experiments/second.yaml        # prove the gradients of the network
    minidl sample first --prime "The "          # let it write

From a table to answers:

    minidl run experiments/table.yaml
    minidl evaluate table
    minidl predict table --data new.csv --out answers.csv

`experiments/first.yaml` says what to train on, with which network, and how; `second.yaml` only what differs;
`table.yaml` learns the classes of texts in a table (numbers, tags, series: docs/tables.md).
`models/network.py` is a network written in Python. Editors that know YAML complete and check experiments by
`experiments/schema.json`.
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl new` takes."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="the folder to make")


def run(arguments: argparse.Namespace) -> int:
    """Write the project; a folder that holds something is left alone."""
    from minidl.cli.schema import schema_text
    from minidl.storage.atomic import write_whole
    from minidl.system.errors import UsageError

    folder: Path = arguments.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder.resolve()} exists and is not an empty folder: choose another name")
    for path, text in (
        ("experiments/first.yaml", FIRST),
        ("experiments/second.yaml", SECOND),
        ("experiments/table.yaml", TABLE),
        ("experiments/schema.json", schema_text()),
        ("models/network.py", NETWORK),
        ("README.md", README.replace("NAME", folder.resolve().name)),
        (".gitignore", "runs/\n"),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / path, text.encode("utf-8", "surrogateescape"))
    print(f"made {folder}; next: minidl run {shlex.quote(str(folder / 'experiments' / 'first.yaml'))}")
    return 0
