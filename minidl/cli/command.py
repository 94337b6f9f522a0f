"""How a command is carried out and how it ends: a message and an exit code, no traceback for a user's mistake."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

from minidl.cli import colours, standard_streams
from minidl.cli.arguments import Parser
from minidl.system.blame import users_frames, users_traceback
from minidl.system.errors import MinidlError, StorageError, UsageError
from minidl.system.persistent_signals import until_heard
from minidl.system.processes import end_together
from minidl.system.terminal import unescaped
from minidl.system.termination import INTERRUPTED, TERMINATED, Terminated, heeding_termination


def carry_out(load: Callable[[], ModuleType], words: Sequence[str], prog: str) -> int:
    """Carry out the verb of a module; the exit code. prog: how the command is called."""
    return ended(prog, lambda: _run(load(), words, prog))


def parser_of(module: ModuleType, prog: str) -> Parser:
    """What understands the words after a verb."""
    verb = module.__name__.rpartition(".")[2]
    parser = Parser(prog, str(module.__doc__).partition("\n")[0], module.EXAMPLES.replace(f"minidl {verb}", prog))
    module.add_arguments(parser)
    return parser


def _run(module: ModuleType, words: Sequence[str], prog: str) -> int:
    try:
        arguments = parser_of(module, prog).parse(words)
    except SystemExit:  # argparse has shown the help
        return 0
    with heeding_termination(), until_heard():
        code: int = module.run(arguments)
    return code


def ended(prog: str, work: Callable[[], int]) -> int:
    """Do it, and turn what ends it early into a message and an exit code."""
    try:
        standard_streams.prepare()
        standard_streams.log_to_stderr()
        code = work()
        sys.stdout.flush()
    except MinidlError as error:
        message, code = str(error), error.exit_code
    except KeyboardInterrupt:
        message, code = "interrupted", INTERRUPTED
    except Terminated:
        message, code = "terminated", TERMINATED
    except BrokenPipeError:  # the reader of stdout has ended, as in `| head`
        standard_streams.discard(sys.stdout)
        return 0
    except MemoryError as error:
        what = f"out of memory: {error}" if str(error) else "out of memory"
        message, code = f"{what}; lower batch_size, seq_len or units", UsageError.exit_code
    except OSError as error:
        standard_streams.discard(sys.stdout)
        message, code = _refused(error), StorageError.exit_code
    except Exception as error:
        if not users_frames(error):
            raise
        message, code = f"the model's own code fails\n{users_traceback(error)}", 1
    else:
        return code
    end_together(code, lambda who: _show_error(message, prog, who))
    return code


def _refused(error: OSError) -> str:
    """What the system has refused. An error that names no file is of stdout, or of a deleted working folder."""
    if error.filename is None and error.errno == errno.ENOENT:
        return "the working folder is gone (it was deleted or moved): change into one that exists"
    place = f"{error.filename or 'stdout'}: " if error.strerror else ""
    return f"{place}{error.strerror or error}"


def _show_error(message: str, prog: str, who: str) -> None:
    text = message if "\n" in message and not who else f"{prog}{who}: {message}"
    colours.show(text, colours.MESSAGE, standard_streams.Lasting(unescaped(sys.stderr)))
