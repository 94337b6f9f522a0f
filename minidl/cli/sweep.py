"""Search for the values with which an experiment does best on its validation part; each trial is a run."""

from __future__ import annotations

import argparse
import logging
import math
import multiprocessing
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidl.cli.arguments import Parser, add_experiment, add_json, add_runs_folder, number, whole
from minidl.cli.command import carry_out
from minidl.cli.jobs import carry_out_in
from minidl.cli.json_output import json_line
from minidl.cli.tables import cell, show_table
from minidl.system.errors import NumericsError, UsageError

if TYPE_CHECKING:
    from minidl.experiment.run.callbacks_of_run import Watchers
    from minidl.experiment.sweep import Result, Sweep

logger = logging.getLogger("minidl")
MOST_TRIALS, MOST_SEEDS, MOST_JOBS = 1_000_000, 1000, 256  # a process that is asked for by mistake takes 100 MB
EXAMPLES = """examples:
  minidl sweep experiments/char_lstm.yaml --trials 20 'optimizer.lr.peak=log(1e-3, 1e-1)'
  minidl sweep experiments/char_lstm.yaml --trials 40 --jobs 4 'model.layers.1.units=choice(64, 128, 256)'

a range stands in the place of a value, between quotes, which keep it from the shell:
  choice(64, 128, 256)    one of these, of whatever kind: choice({type: SGD, lr: 0.1}, {type: Adam})
  uniform(0, 0.5)         a number between these
  log(1e-4, 1e-2)         a number between these, its logarithm drawn evenly
  int(1, 4)               a whole number from the first to the last
  log_int(16, 512)        a whole number, its logarithm drawn evenly

The same command goes on with a sweep that was interrupted, adds trials to it where --trials is more than before, and
takes part in one that is running; with --storage URL from any machine. Values that were tried before are not run again.

it needs more than the rest of minidl: pip install 'minidl[sweep]'
"""


def add_arguments(parser: Parser) -> None:
    """What `minidl sweep` takes."""
    add_experiment(parser)
    parser.add_argument("--trials", metavar="N", type=whole, required=True, help="how many in all")
    parser.add_argument("--jobs", metavar="K", type=whole, default=1, help="how many at a time (default: 1)")
    parser.add_argument("--seed", metavar="N", type=whole, default=0, help="of the values to try (default: 0)")
    seeds = "train each trial with so many seeds, and compare the mean of their best losses (default: 1)"
    parser.add_argument("--seeds", metavar="N", type=whole, default=1, help=seeds)
    samplers = "how values are drawn: tpe, random, grid (all of them in turn) or cmaes (default: tpe)"
    parser.add_argument("--sampler", choices=("tpe", "random", "grid", "cmaes"), default="tpe", help=samplers)
    pruners = "how trials that do badly are ended early: median or hyperband (default: median)"
    parser.add_argument("--pruner", choices=("median", "hyperband"), default="median", help=pruners)
    no_prune = "carry every trial to its end, also where the median of the others was better at the same evaluation"
    parser.add_argument("--no-prune", action="store_true", help=no_prune)
    timeout = "begin no trial after so many minutes"
    parser.add_argument("--timeout", metavar="MINUTES", type=number, default=math.inf, help=timeout)
    storage = "where trials are kept: postgresql://…, mysql://…, sqlite:///FILE, grpc://HOST:PORT or journal:///FILE"
    parser.add_argument("--storage", metavar="URL", help=f"{storage} (default: a journal in the runs folder)")
    add_runs_folder(parser)
    add_json(parser, "a JSON line for each trial, the best first,")


def run(arguments: argparse.Namespace) -> int:
    """Carry out trials, then print all of them, the best first."""
    for name, most in (("trials", MOST_TRIALS), ("jobs", MOST_JOBS), ("seeds", MOST_SEEDS)):
        if getattr(arguments, name) > most:
            raise UsageError(f"--{name} should be {most} or less, got {getattr(arguments, name)}")
    for name, least in (("trials", 1), ("jobs", 1), ("seed", 0), ("seeds", 1)):
        if getattr(arguments, name) < least:
            raise UsageError(f"--{name} should be {least} or more, got {getattr(arguments, name)}")
    if not arguments.timeout > 0:
        raise UsageError(f"--timeout should be above 0, got {arguments.timeout}")
    try:
        from minidl.experiment.sweep import Search, open_study, read_sweep, results, take_part
    except ModuleNotFoundError as error:
        raise UsageError(f"a sweep needs {str(error.name).partition('.')[0]}: pip install 'minidl[sweep]'") from None

    sweep = read_sweep(Path(arguments.experiment), arguments.changes, arguments.runs, arguments.seed, arguments.seeds)
    search = Search(sweep.space, sweep.seed, arguments.sampler, "none" if arguments.no_prune else arguments.pruner)
    with open_study(sweep, search, arguments.storage) as study:
        if arguments.jobs > 1:
            code = carry_out_in(arguments.jobs, _take_part, _words(arguments))
            study.put_back_orphans()
        else:
            code = take_part(sweep, study, arguments.trials, _bars, 60 * arguments.timeout)
        found = results(study.trials(), arguments.trials)
    if arguments.json:
        for result in found:
            print(json_line(_plain(result)))
    elif found:
        _show(found, sweep)
    if code:
        logger.info("the same command goes on with %s", study)
    elif found and all(result.state == "failed" for result in found):
        raise NumericsError(f"all trials failed; the last one: {found[-1].error}")
    return code


def _take_part(words: Sequence[str]) -> int:
    """The command of one of several processes, from its words."""
    return carry_out(lambda: sys.modules[__name__], words, "minidl sweep")


def _bars(trial: int) -> Watchers:
    """What shows a trial while it runs: a bar on a terminal that no other process writes to."""
    from minidl.callbacks import ShowProgress

    alone = multiprocessing.parent_process() is None and sys.stderr.isatty()
    return lambda _: [ShowProgress(title=f"trial {trial}", with_texts=False)] if alone else []


def _words(arguments: argparse.Namespace) -> list[str]:
    """The command of one of several processes."""
    names = ("trials", "seed", "seeds", "runs", "sampler", "pruner", "timeout", "storage")
    given = {name: getattr(arguments, name) for name in names}
    words = [f"--{name}={value}" for name, value in given.items() if value not in (None, math.inf)]
    return [*words, *(["--no-prune"] if arguments.no_prune else []), "--", arguments.experiment, *arguments.changes]


def _plain(result: Result) -> dict[str, Any]:
    """A trial as JSON has it; its values are those that the experiment had."""
    facts = {"trial": result.trial, "run": result.run, "state": result.state, "best_val_loss": result.loss}
    runs = {"runs": list(result.runs)} if len(result.runs) > 1 else {}
    values = {key: _value(text) for key, text in result.values.items()}
    return {**facts, **runs, **values, **({} if result.error is None else {"error": result.error})}


def _show(found: list[Result], sweep: Sweep) -> None:
    keys = list(sweep.space.ranges)
    rows = [["trial", "run", "state", "best val loss", *keys, ""]]
    for result in found:
        values = [_short(result.values.get(key, "")) for key in keys]
        rows.append([*map(cell, (result.trial, result.run, result.state, result.loss)), *values, cell(result.error)])
    show_table(rows)
    if found[0].state == "done":
        words = ["minidl", "run", str(sweep.experiment), *sweep.space.with_values(found[0].values)]
        print(f"\nthe best again: {shlex.join(words)}")


def _value(text: str) -> Any:
    from minidl.experiment.yaml.loader import read
    from minidl.experiment.yaml.source_positions import locator

    return read(text, locator(text, "")).value


def _short(text: str) -> str:
    """A value with as many digits as one looks at."""
    value = _value(text)
    return cell(value) if isinstance(value, float) else text
