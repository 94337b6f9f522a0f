"""Begin a project: an experiment, a model of its own, a text to train on, and a README; it runs at once."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  minidl new shakespeare
  cd shakespeare && minidl run experiments/first.yaml
"""
EXPERIMENT = """# {name}: put a text of your own in the place of pydoc_topics (a path from this file's folder), and train.
name: first
seed: 0
data:
  type: text
  source: pydoc_topics
  batch_size: 32
  seq_len: 64
model: {{type: network, units: 96}}
loss: {{type: SoftmaxCE}}
optimizer:
  type: Adam
  lr: {{type: cosine, peak: 1e-2, warmup_steps: 50}}
  clip_norm: 1.0
train: {{minutes: 1, sample_every: {{minutes: 0.5}}, evaluate_every: {{minutes: 0.25}}}}
"""
MODEL = '''"""The network of this project: layers are called on what feeds them."""

from minidl.layers import LSTM, Dense, OneHot


def build(ids, vocab_size: int, units: int = 96):
    """Logits of the next character. Arguments come by name: inputs and facts of the data, and the experiment's own."""
    hidden = LSTM(units, name="lstm")(OneHot()(ids))
    return Dense(vocab_size, name="logits")(hidden)
'''
README = """# {name}

    minidl run experiments/first.yaml           # train for a minute
    tensorboard --logdir runs                   # watch it (pip install 'minidl[view]')
    minidl check experiments/first.yaml         # prove the gradients of the network
    minidl sample first --prime "The "          # let it write

`experiments/first.yaml` says what to train on and how, `models/network.py` what the network is.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `minidl new` takes."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="the folder to make")


def run(arguments: argparse.Namespace) -> int:
    """Write the project; a folder that holds something is left alone."""
    from minidl.storage import write_whole
    from minidl.errors import UsageError

    folder: Path = arguments.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder.resolve()} exists and is not an empty folder: choose another name")
    name = folder.resolve().name
    for path, text in (
        ("experiments/first.yaml", EXPERIMENT),
        ("models/network.py", MODEL.replace("{", "{{").replace("}", "}}")),
        ("README.md", README),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / path, text.format(name=name).encode())
    print(f"made {folder}; next: cd {folder} && minidl run experiments/first.yaml")
    return 0
