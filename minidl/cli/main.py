"""Which verb was meant: each is a file of this room."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from minidl.cli import command
from minidl.system.errors import UsageError, suggest

VERBS = {
    "run": "train an experiment, or go on with a run",
    "check": "prove the gradients of an experiment's model",
    "sample": "let a trained model write",
    "evaluate": "measure a trained model",
    "predict": "let a trained model answer about the rows of a file",
    "inspect": "show what a run or a model file holds",
    "sweep": "search for the values with which an experiment does best",
    "view": "see a trained model think: a page that runs it, in the browser",
    "explain": "show what each symbol or row of a sequence adds to an answer",
    "cells": "rank units by how well they tell a feature of the data apart",
    "lesson": "learn by mending: ten layers with a wrong gradient, graded by the check",
    "export": "write a trained model for other programs: ONNX, safetensors, a page",
    "import": "take weights of PyTorch, Keras or ONNX into an experiment's model",
    "runs": "list runs, or compare some of them",
    "verify": "train a run once more, and say whether it reproduces",
    "reproduce": "train an experiment anew, and say whether it comes to what it expects",
    "compress": "make a file smaller, with a network that learns while it reads",
    "decompress": "bring back a file that compress has made smaller",
    "schema": "write the JSON Schema by which editors complete experiment files",
    "new": "begin a project: experiments, a model, a README",
}
FLAGS = ("--help", "--version")  # without a verb
EXAMPLES = """examples:
  minidl new shakespeare                           a project that runs at once
  minidl run experiments/char_lstm.yaml            train; watch it with tensorboard --logdir runs
  minidl run experiments/char_lstm.yaml --resume   go on where it stopped
  minidl sample char_lstm --prime "The " --length 300

`minidl VERB --help` says more about each."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out `minidl VERB ...`; the exit code."""
    verb, *words = (sys.argv[1:] if arguments is None else list(arguments)) or [""]
    if verb in VERBS:
        return carry_out(verb, words, f"minidl {verb}")
    return command.ended("minidl", lambda: _without_verb(verb))


def carry_out(verb: str, words: Sequence[str], prog: str) -> int:
    """Carry out one verb; the exit code."""
    return command.carry_out(lambda: module_of(verb), words, prog)


def _without_verb(word: str) -> int:
    verbs = "\n".join(["verbs:", *(f"  {name:10} {what}" for name, what in VERBS.items())])
    if word in ("-h", "--help"):
        print(f"usage: minidl VERB ...\n\nRecurrent networks on NumPy.\n\n{verbs}\n\n{EXAMPLES}")
    elif word == "--version":
        from minidl.system.version import __version__

        print(f"minidl {__version__}")
    else:
        raise UsageError(f"{_no_verb(word)}\n{verbs}")
    return 0


def _no_verb(word: str) -> str:
    if not word:
        return "usage: minidl VERB ...\n"
    if word.endswith((".yaml", ".yml")):
        return f"minidl: {word} is no verb; did you mean 'minidl run {word}'?"
    kind, known = ("option", FLAGS) if word.startswith("-") else ("verb", tuple(VERBS))
    return f"minidl: there is no {kind} {word!r}{suggest(word, known)}"


def module_of(verb: str) -> ModuleType:
    """The file of one of VERBS; only this one is imported, so that `--help` is quick."""
    return import_module(f"minidl.cli.{'import_weights' if verb == 'import' else verb}")
