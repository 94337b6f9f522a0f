"""Train an experiment, or go on with a run of it."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from minidl.cli.arguments import Parser, add_experiment, add_json, add_runs_folder
from minidl.cli.colours import STATE, show
from minidl.cli.json_output import json_line
from minidl.cli.reading_bar import reading_bar
from minidl.cli.standard_streams import lasting
from minidl.system.errors import UsageError

if TYPE_CHECKING:
    from minidl.experiment import Experiment, Outcome

EXAMPLES = """examples:
  minidl run experiments/char_lstm.yaml
  minidl run experiments/char_lstm.yaml train.epochs=10 optimizer.lr=1e-3
  minidl run experiments/char_lstm.yaml 'optimizer={type: SGD, lr: 0.5, momentum: 0.9}'
  minidl run experiments/char_lstm.yaml model.layers.1.units=256 name=wide
  minidl run experiments/char_lstm.yaml --dry-run     check the file, show the model, train nothing
  minidl run experiments/char_lstm.yaml --resume      go on with the newest run of that name
  minidl run experiments/char_lstm.yaml --resume 3 train.epochs=20

exit codes: 0 done, 2 experiment file or usage, 3 data, 4 checkpoint, 5 NaN or infinity, 74 input/output,
130 interrupted, 143 terminated
"""
NEWEST = "newest"


def add_arguments(parser: Parser) -> None:
    """What `minidl run` takes."""
    add_experiment(parser)
    resume_help = "go on with the newest run of that name, or with this one"
    parser.add_argument("--resume", metavar="NUMBER", nargs="?", type=_run_number, const=NEWEST, help=resume_help)
    accept_help = "with --resume: go on although the code of the model has changed"
    parser.add_argument("--accept-changes", action="store_true", help=accept_help)
    add_runs_folder(parser)
    parser.add_argument("--dry-run", action="store_true", help="check everything and show the model; train nothing")
    add_json(parser, "records and result as JSON lines")


def run(arguments: argparse.Namespace) -> int:
    """Train; the exit code."""
    from minidl.experiment import read_experiment
    from minidl.experiment.run.environment import essence
    from minidl.system.processes import processes
    from minidl.system.signs_of_life import SignsOfLife

    if arguments.accept_changes and arguments.resume is None:
        raise UsageError("--accept-changes goes with --resume")
    with reading_bar():
        experiment = read_experiment(arguments.experiment, arguments.changes)
    together = processes(experiment.processes.timeout)
    with SignsOfLife(together, experiment.processes.timeout):
        together.agree(essence(experiment))
        if not arguments.dry_run:
            return _train(experiment, arguments)
        from minidl.experiment.run.preview import preview

        if together.is_first:
            print(preview(experiment, as_json=arguments.json))
        return 0


def _train(experiment: Experiment, arguments: argparse.Namespace) -> int:
    from minidl.experiment import resume, train
    from minidl.experiment.run.callbacks_of_run import showing
    from minidl.system.processes import processes

    watchers = showing(as_json=arguments.json)
    with lasting() as stdout:
        if arguments.resume is None:
            outcome = train(experiment, Path(arguments.experiment), arguments.runs, watchers=watchers)
        else:
            number = None if arguments.resume == NEWEST else arguments.resume
            outcome = resume(
                experiment,
                Path(arguments.experiment),
                arguments.runs,
                number,
                watchers=watchers,
                accept_changes=arguments.accept_changes,
            )
        if processes().is_first:
            _show(outcome, arguments)
    if stdout.error is not None and not isinstance(stdout.error, BrokenPipeError):
        raise stdout.error
    return outcome.exit_code


def _show(outcome: Outcome, arguments: argparse.Namespace) -> None:
    from minidl.storage.run_folder import RunFolder

    if arguments.json:
        print(json_line({"run": str(outcome.run), "state": outcome.state}))
        return
    lines = [f"\n{outcome.state}: the run lies in {outcome.run}"]
    if outcome.exit_code and RunFolder(outcome.run).checkpoints.files():
        lines.append(f"go on with: {_command_to_resume(arguments)}")
    lines.append(f"view it with: {shlex.join(['tensorboard', '--logdir', str(arguments.runs)])}")
    if RunFolder(outcome.run).checkpoints.files():
        lines.append(f"see it think: {shlex.join(['minidl', 'view', *_run_words(outcome.run, arguments.runs)])}")
    show("\n".join(lines), {**STATE, r"(?<=with: |hink: ).*": "bold"})


def _command_to_resume(arguments: argparse.Namespace) -> str:
    """The command that resumes, with the same changes: another experiment would be refused."""
    words = ["python", "-m", "minidl.run", arguments.experiment, *arguments.changes, "--resume"]
    if arguments.resume not in (None, NEWEST):
        words.append(str(arguments.resume))
    if arguments.runs != Path("runs"):
        words += ["--runs", str(arguments.runs)]
    return shlex.join(words)


def _run_words(run: Path, runs: Path) -> list[str]:
    """How other verbs are told of a run: by its name where it is the newest, and where runs lie."""
    from minidl.storage.run_folder import list_runs

    newest = [folder.path for folder in list_runs(run.parent)][-1:] == [run]
    name = run.parent.name if newest else f"{run.parent.name}/{run.name}"
    return [name, *([] if runs == Path("runs") else ["--runs", str(runs)])]


def _run_number(text: str) -> int | str:
    if text != NEWEST and not (re.fullmatch("[0-9]{1,9}", text) and int(text) > 0):
        raise argparse.ArgumentTypeError(f"the number of a run is 1, 2, ..., or left out for the newest; got {text!r}")
    return text if text == NEWEST else int(text)
