"""What an event writer writes, TensorBoard reads: its own readers, a real server, and real faults in between."""

from __future__ import annotations

import errno
import html
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minidl
from minidl.callbacks.tensorboard.events import EventWriter, GraphNode, write_projector
from minidl.callbacks.tensorboard.events.histogram import BINS, histogram_summary
from minidl.callbacks.tensorboard.events.projector import visible
from minidl.callbacks.tensorboard.events.text_event import fenced
from minidl.system.errors import StorageError, UsageError

with warnings.catch_warnings():  # of what tensorboard itself imports
    warnings.simplefilter("ignore", DeprecationWarning)
    from tensorboard import plugin_util  # type: ignore[import-untyped]
    from tensorboard.backend.event_processing import (  # type: ignore[import-untyped]
        event_accumulator,
        plugin_event_accumulator,
    )
    from tensorboard.plugins.hparams import metadata as hparams_metadata  # type: ignore[import-untyped]

PACKAGE_PARENT = Path(minidl.__file__).parents[1]
NODES = [
    GraphNode("ids", "Input", (), (None, None), {"dtype": "int"}),
    GraphNode("encoder/lstm", "LSTM", ("ids",), (None, None, 128), {"units": "128", "parameters": "94,720"}),
    GraphNode("loss", "SoftmaxCE", ("encoder/lstm",)),
]
HPARAMS: dict[str, bool | int | float | str] = {
    "optimizer.lr": 1e-3,
    "model.units": 128,
    "data.tokens": "char",
    "clip": True,
    "clip_norm": float("inf"),
    "seed": 2**60 + 1,
}
SAMPLE = "First *Citizen*:\n```\n<b>&amp; we</b> \ud800"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[EventWriter]:
    writer = EventWriter(tmp_path)
    yield writer
    writer.close()


def read(folder: Path) -> event_accumulator.EventAccumulator:
    everything = dict.fromkeys(event_accumulator.DEFAULT_SIZE_GUIDANCE, 0)
    return event_accumulator.EventAccumulator(str(folder), size_guidance=everything).Reload()


def curve(folder: Path, tag: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in read(folder).Scalars(tag)]


def run_script(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script that can import minidl, in a process that a test may kill or limit."""
    path = os.pathsep.join(filter(None, [environment.pop("PYTHONPATH", ""), str(PACKAGE_PARENT)]))
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment, "PYTHONPATH": path},
    )


# Read back by TensorBoard's own reader.


def test_scalars(writer: EventWriter, tmp_path: Path) -> None:
    writer.scalars({"train/loss": 2.5}, step=7)
    of_numpy: Any = {"train/loss": np.float32(1.5), "val/loss": np.float64(2)}
    writer.scalars(of_numpy, step=8)
    assert curve(tmp_path, "train/loss") == [(7, 2.5), (8, 1.5)]
    assert curve(tmp_path, "val/loss") == [(8, 2.0)]
    assert read(tmp_path).Scalars("val/loss")[0].wall_time == pytest.approx(time.time(), abs=60)


def test_scalars_that_are_not_finite(writer: EventWriter, tmp_path: Path) -> None:
    writer.scalars({"a": float("nan"), "b": 1e39}, step=0)
    assert np.isnan(curve(tmp_path, "a")[0][1])
    assert curve(tmp_path, "b")[0][1] == np.inf


def test_text(writer: EventWriter, tmp_path: Path) -> None:
    writer.text("samples", SAMPLE, step=3)
    (event,) = read(tmp_path).Tensors("samples")
    assert event.step == 3
    assert event.tensor_proto.string_val[0].decode() == "````\n" + SAMPLE.replace("\ud800", "\ufffd") + "\n````"


@given(st.text(st.sampled_from("a1 `~<>&*_#\n\\[]()!|-=+:.'\"{}é文\ud800\udfff"), max_size=60))
def test_text_is_shown_as_it_is(text: str) -> None:
    shown = plugin_util.markdown_to_safe_html(fenced(text))
    code = re.fullmatch(r"<pre><code>(.*)</code></pre>", shown, re.DOTALL)
    assert code, shown
    # Markdown drops blanks in lines of nothing else.
    assert html.unescape(code[1]) == re.sub(r"(?<=\n) +\n", "\n", f"\n{text}\n")[1:]


def test_histogram(writer: EventWriter, tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((300, 50)).astype(np.float32)
    writer.histogram("weights", values, step=5)
    (event,) = read(tmp_path).Histograms("weights")
    counts, edges = np.histogram(values.astype(np.float64), bins=BINS)
    shown = event.histogram_value
    assert event.step == 5
    assert shown.bucket == counts.tolist()
    np.testing.assert_allclose(shown.bucket_limit, edges[1:], rtol=1e-12)
    assert (shown.min, shown.max, shown.num) == (values.min(), values.max(), values.size)
    assert shown.sum == pytest.approx(values.sum(dtype=np.float64))
    assert shown.sum_squares == pytest.approx(np.square(values, dtype=np.float64).sum())


def test_histogram_counts_what_is_not_finite(writer: EventWriter, tmp_path: Path) -> None:
    writer.histogram("gradients", [1.0, np.nan, 3.0, np.inf, -np.inf, 1e200], step=2)
    assert read(tmp_path).Histograms("gradients")[0].histogram_value.num == 2
    assert curve(tmp_path, "gradients/non_finite") == [(2, 4.0)]


def test_histogram_of_nothing_writes_nothing(writer: EventWriter) -> None:
    before = writer.path.stat().st_size
    writer.histogram("weights", np.zeros((0, 3)), step=0)
    assert writer.path.stat().st_size == before


@given(hnp.arrays(st.sampled_from([np.float32, np.float64, np.int32]), st.integers(1, 40)))
def test_histogram_holds_every_value_once(values: Any) -> None:
    with np.errstate(over="ignore"):
        finite = values.astype(np.float32)
    finite = finite[np.isfinite(finite)]
    shown = {value.tag: value for value in histogram_summary("h", values).value}
    assert ("h" in shown) == bool(finite.size)
    assert ("h/non_finite" in shown) == (finite.size < values.size)
    if finite.size:
        histogram = shown["h"].histo
        assert sum(histogram.bucket) == histogram.num == finite.size
        assert len(histogram.bucket) == len(histogram.bucket_limit)
        assert np.all(np.diff(histogram.bucket_limit) >= 0)
        assert (histogram.min, histogram.max) == (finite.min(), finite.max())
        assert histogram.bucket_limit[-1] == pytest.approx(float(finite.max()))


def test_graph(writer: EventWriter, tmp_path: Path) -> None:
    writer.graph(NODES)
    graph = read(tmp_path).Graph()
    assert [(node.name, node.op, list(node.input)) for node in graph.node] == [
        ("ids", "Input", []),
        ("encoder/lstm", "LSTM", ["ids"]),
        ("loss", "SoftmaxCE", ["encoder/lstm"]),
    ]
    attributes = graph.node[1].attr
    assert [size.size for size in attributes["_output_shapes"].list.shape[0].dim] == [-1, -1, 128]
    assert attributes["units"].s == b"128"
    assert attributes["parameters"].s == b"94,720"


@pytest.mark.parametrize(("status", "expected"), [("success", 1), ("failure", 2)])
def test_hparams(writer: EventWriter, tmp_path: Path, status: Any, expected: int) -> None:
    writer.hparams(HPARAMS)
    content = read(tmp_path).PluginTagToContent("hparams")
    assert list(content) == [hparams_metadata.SESSION_START_INFO_TAG]  # no columns of its own, and the run goes on
    run = hparams_metadata.parse_session_start_info_plugin_data(content[hparams_metadata.SESSION_START_INFO_TAG])
    shown = {name: getattr(value, value.WhichOneof("kind")) for name, value in run.hparams.items()}
    assert shown == {**HPARAMS, "clip_norm": "inf", "seed": str(2**60 + 1)}

    writer.hparams_end(status)
    content = read(tmp_path).PluginTagToContent("hparams")
    end = hparams_metadata.parse_session_end_info_plugin_data(content[hparams_metadata.SESSION_END_INFO_TAG])
    assert end.status == expected


def decode(file: bytes) -> Any:
    """The pixels of a PNG file."""
    return np.asarray(PIL.Image.open(io.BytesIO(file)))


def test_image(writer: EventWriter, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 9, 3), dtype=np.uint8)
    writer.image("weights", pixels[:, ::-1], step=4)  # not contiguous
    (image,) = read(tmp_path).Images("weights")
    assert (image.step, image.height, image.width) == (4, 5, 9)
    np.testing.assert_array_equal(decode(image.encoded_image_string), pixels[:, ::-1])


@pytest.mark.parametrize("pixels", [np.zeros((2, 2, 3)), np.zeros((2, 2), "u1"), np.zeros((2, 0, 3), "u1")])
def test_image_of_another_shape_is_refused(writer: EventWriter, pixels: Any) -> None:
    with pytest.raises(UsageError, match=r"'weights'.*\(H, W, 3\) and dtype uint8, not \(2, "):
        writer.image("weights", pixels, step=0)


# The projector's files.


def test_projector_keeps_others_and_replaces_its_own(tmp_path: Path) -> None:
    write_projector(tmp_path, "embedding/W", np.zeros((2, 3)), ["a", "b"])
    write_projector(tmp_path, 'other"\\/W', np.zeros((1, 3)), ["c"])
    write_projector(tmp_path, "embedding/W", np.array([[0.1, -2, 1e-9]]), ["z"])
    config = (tmp_path / "projector_config.pbtxt").read_text(encoding="utf-8")
    assert re.findall(r"tensor_name: (.*)", config) == ['"embedding/W"', r'"other\"\\/W"']
    (tensors,) = re.findall(r'tensor_path: "(.*embedding.*)"', config)
    (labels,) = re.findall(r'metadata_path: "(.*embedding.*)"', config)
    assert (tmp_path / tensors).read_text() == "0.1\t-2\t1e-09\n"
    assert (tmp_path / labels).read_text() == "z\n"


def test_projector_names_do_not_collide(tmp_path: Path) -> None:
    for name in ("a/b", "a-b", "../a"):
        write_projector(tmp_path, name, np.zeros((1, 2)), [name])
    assert len(list(tmp_path.rglob("*.labels.tsv"))) == 3
    assert not list(tmp_path.parent.glob("*.tsv"))


@given(st.text())
def test_labels_take_one_line_and_one_column(label: str) -> None:
    shown = visible(label)
    assert shown
    assert shown.isprintable()
    assert len(shown.split()) == 1
    shown.encode()


def test_projector_needs_a_label_a_row(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'W': 2 labels .* \(3, 4\)"):
        write_projector(tmp_path, "W", np.zeros((3, 4)), ["a", "b"])


# Resumed runs.


def readers(folder: Path) -> Iterator[list[int]]:
    """Steps of the curve, by the reader of scripts and by the one of the server."""
    yield [step for step, _ in curve(folder, "loss")]
    accumulator = plugin_event_accumulator.EventAccumulator(str(folder), tensor_size_guidance={"scalars": 0})
    yield [event.step for event in accumulator.Reload().Tensors("loss")]


def session(folder: Path, steps: range, purge_step: int | None = None) -> Path:
    writer = EventWriter(folder, purge_step)
    for step in steps:
        writer.scalars({"loss": float(step)}, step)
    writer.close()
    return writer.path


def test_resume_hides_rewound_steps(tmp_path: Path) -> None:
    session(tmp_path, range(100))
    session(tmp_path, range(50, 80), purge_step=50)
    session(tmp_path, range(60, 90), purge_step=60)
    for steps in readers(tmp_path):
        assert steps == list(range(90))


def test_resume_after_the_clock_was_set_back(tmp_path: Path) -> None:
    first = session(tmp_path, range(100))
    first.rename(tmp_path / "events.out.tfevents.9876543210.zzz.1.0")
    session(tmp_path, range(50, 80), purge_step=50)
    for steps in readers(tmp_path):
        assert steps == list(range(80))


def test_two_writers_in_one_folder_in_one_second(tmp_path: Path) -> None:
    first, second = EventWriter(tmp_path), EventWriter(tmp_path)
    for step in range(10):
        first.scalars({"first": step}, step)
        second.scalars({"second": step}, step)
    first.close()
    second.close()
    assert sorted(tmp_path.iterdir()) == [first.path, second.path]
    assert len(curve(tmp_path, "first")) == len(curve(tmp_path, "second")) == 10


def test_names_differ_by_process_and_count(tmp_path: Path) -> None:
    first, second = (session(tmp_path / folder, range(1)).name.split(".")[-2:] for folder in ("a", "b"))
    assert first[0] == second[0] == str(os.getpid())
    assert int(first[1]) < int(second[1])


# Faults.

KILLED = """
import os, signal, sys
from pathlib import Path
from minidl.callbacks.tensorboard.events import EventWriter
writer = EventWriter(Path(sys.argv[1]))
for step in range(1000):
    writer.scalars({"loss": step}, step)
writer.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_is_lost_to_a_kill_after_a_flush(tmp_path: Path) -> None:
    assert run_script(KILLED, str(tmp_path)).returncode == -signal.SIGKILL
    assert curve(tmp_path, "loss") == [(step, float(step)) for step in range(1000)]


FORKED = """
import os, sys
from pathlib import Path
from minidl.system.errors import StorageError
from minidl.callbacks.tensorboard.events import EventWriter
writer = EventWriter(Path(sys.argv[1]))
writer.scalars({"loss": 0}, 0)
child = os.fork()
if not child:
    try:
        writer.scalars({"loss": -1}, 1)
    except StorageError as error:
        print(error)
        writer.close()
        own = EventWriter(Path(sys.argv[2]))
        own.scalars({"loss": 5}, 5)
        own.close()
        sys.exit(7)
    sys.exit(0)
writer.scalars({"loss": 1}, 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
writer.scalars({"loss": 2}, 2)
writer.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_writes_only_to_its_own_file(tmp_path: Path) -> None:
    done = run_script(FORKED, str(tmp_path / "parent"), str(tmp_path / "child"))
    assert done.returncode == 0, done.stderr
    assert "a forked process needs a writer of its own" in done.stdout
    assert curve(tmp_path / "parent", "loss") == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert curve(tmp_path / "child", "loss") == [(5, 5.0)]


LIMITED = """
import resource, sys
from pathlib import Path
from minidl.callbacks.tensorboard.events import EventWriter
writer = EventWriter(Path(sys.argv[1]))
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
written = []
for step in range(30):
    try:
        writer.scalars({"loss": step}, step)
        written.append(step)
    except OSError as error:
        failed = error
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
for step in range(100, 110):
    writer.scalars({"loss": step}, step)
    written.append(step)
writer.close()
print(failed)
print(failed.errno)
print(written)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no limits on the size of files")
def test_a_record_cut_off_by_a_full_disk_leaves_the_file_readable(tmp_path: Path) -> None:
    done = run_script(LIMITED, str(tmp_path))
    assert done.returncode == 0, done.stderr
    message, number, written = done.stdout.splitlines()
    assert message.startswith(f"{tmp_path}/events.out.tfevents.")
    assert "File too large" in message
    assert int(number) == errno.EFBIG
    steps = json.loads(written)
    assert 5 < len(steps) < 35
    assert curve(tmp_path, "loss") == [(step, float(step)) for step in steps]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_device_is_reported_by_every_call(writer: EventWriter) -> None:
    (descriptor,) = (
        int(link.name)
        for link in Path("/proc/self/fd").iterdir()
        if link.is_symlink() and link.resolve() == writer.path
    )
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, descriptor)
    os.close(full)
    calls: list[Callable[[], None]] = [
        lambda: writer.scalars({"a": 1}, 0),
        lambda: writer.scalars({"a": 1}, 0),
        lambda: writer.text("t", "text", 0),
        lambda: writer.histogram("h", [1.0], 0),
        lambda: writer.image("i", np.zeros((1, 1, 3), np.uint8), 0),
        lambda: writer.graph(NODES),
        lambda: writer.hparams(HPARAMS),
        lambda: writer.hparams_end("failure"),
        lambda: writer.layout({}),
    ]
    for call in calls:
        with pytest.raises(StorageError, match="No space left on device") as caught:
            call()
        assert caught.value.errno == errno.ENOSPC


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_raises_and_writing_goes_on_when_there_is_room(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(40_000))
    writer = EventWriter(small_disk / "run")
    written = []
    with pytest.raises(OSError, match="No space left on device"):  # noqa: PT012 - the step at which it fails is unknown
        for step in range(10_000):
            writer.text("t", "x" * 500, step)
            written.append(step)
    with pytest.raises(StorageError):
        write_projector(small_disk, "W", np.ones((9999, 9)), ["a"] * 9999)
    (small_disk / "ballast").unlink()
    writer.text("t", "more", 10_000)
    writer.close()
    assert [event.step for event in read(small_disk / "run").Tensors("t")] == [*written, 10_000]


def test_a_disk_full_from_the_start(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "ballast").write_bytes(bytes(100_000))
    with pytest.raises(StorageError, match="No space left on device"):
        EventWriter(small_disk)


def test_a_folder_deleted_while_writing_is_noticed_by_a_flush(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / "run")
    writer.flush()
    writer.path.unlink()
    writer.path.parent.rmdir()
    with pytest.raises(StorageError, match="deleted while it was written"):
        writer.flush()
    writer.close()


def test_a_file_where_the_folder_belongs(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(StorageError, match=r"run: cannot be written \(File exists\)"):
        EventWriter(tmp_path / "run")


def test_flush_to_the_disk_and_close_twice(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    writer.scalars({"a": 1}, 0)
    writer.flush(to_disk=True)
    writer.close()
    writer.close()
    assert curve(tmp_path, "a") == [(0, 1.0)]


def test_torch_is_not_imported_and_stays_importable(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("print('torch was imported')")
    script = (
        "import sys, pathlib; from minidl.callbacks.tensorboard.events import EventWriter;"
        "EventWriter(pathlib.Path(sys.argv[1])).close(); print('written'); import torch"
    )
    done = run_script(script, str(tmp_path), PYTHONPATH=str(tmp_path))
    assert done.stdout.splitlines() == ["written", "torch was imported"], done.stderr


# A real server.


class Server:
    """A running TensorBoard, asked as its own pages ask it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def fetch(self, path: str, body: Any = None, **query: str) -> bytes:
        """The answer to one request; one with a body, of JSON, is a POST."""
        url = f"{self.url}/data/{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, None if body is None else json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        with self._direct.open(request, timeout=20) as answer:
            return bytes(answer.read())

    def plugin(self, path: str, body: Any = None, **query: str) -> Any:
        """What a plugin answers, decoded."""
        return json.loads(self.fetch(f"plugin/{path}", body, **query))


def write_runs(folder: Path) -> None:
    for number, loss in (("001", 1.5), ("002", 1.25)):
        writer = EventWriter(folder / number)
        writer.hparams({**HPARAMS, "optimizer.lr": loss / 1000, f"only.{number}": 1})
        writer.layout({"loss": {"train against validation": ["train/loss", "val/loss"], "all": [".*/loss"]}})
        writer.graph(NODES)
        for step in range(20):
            writer.scalars({"train/loss": 4 - step / 10, "val/loss": 4.5 - step / 10}, step)
        writer.histogram("weights/b", np.zeros(8), 0)
        writer.histogram("weights/b", np.ones(8), 15)
        writer.close()
        resumed = EventWriter(folder / number, purge_step=10)
        for step in range(10, 30):
            resumed.scalars({"train/loss": 3 - step / 10}, step)
        resumed.text("samples", SAMPLE, 20)
        resumed.histogram("weights/b", np.linspace(-1, 1, 100), 20)
        resumed.image("weights/W", np.full((2, 3, 3), 7, np.uint8), 20)
        resumed.scalars({"test/loss": loss}, 30)
        resumed.hparams_end("success" if number == "001" else "failure")
        resumed.close()
    write_projector(folder / "001", "embedding/W", np.arange(6).reshape(3, 2), ["a", " ", "\n"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("runs")
    write_runs(folder)
    log = tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-m", "tensorboard.main", f"--logdir={folder}", "--load_fast=false", "--port=0"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield answering(process, log)
    finally:
        process.terminate()
        process.wait(timeout=30)


def answering(process: subprocess.Popen[bytes], log: Path) -> Server:
    """The server, once it has loaded the end of every run."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"http://[\w.-]+:\d+", log.read_text()):
            server = Server(found[0])
            tags = server.plugin("scalars/tags")
            if len(tags) == 2 and all("test/loss" in run for run in tags.values()):
                return server
        time.sleep(0.2)
    pytest.fail(f"no answer from tensorboard:\n{log.read_text()}")


def test_server_scalars_without_a_zigzag(server: Server) -> None:
    points = server.plugin("scalars/scalars", run="001", tag="train/loss")
    assert [step for _, step, _ in points] == list(range(30))
    expected = [4 - step / 10 if step < 10 else 3 - step / 10 for step in range(30)]
    assert [value for *_, value in points] == pytest.approx(expected)


def test_server_text(server: Server) -> None:
    (sample,) = server.plugin("text/text", run="001", tag="samples")
    shown = html.escape(SAMPLE.replace("\ud800", "\ufffd"))
    assert sample["text"] == f"<pre><code>{shown}\n</code></pre>"


def test_server_histograms(server: Server) -> None:
    zeros, spread = server.plugin("histograms/histograms", run="001", tag="weights/b")
    assert zeros[1:] == [0, [[0.0, 0.0, 8.0]]]
    assert spread[1] == 20
    assert sum(count for *_, count in spread[2]) == 100
    assert (spread[2][0][0], spread[2][-1][1]) == (-1.0, 1.0)


def test_server_graph(server: Server) -> None:
    graph = server.fetch("plugin/graphs/graph", run="001").decode()
    assert re.findall(r'^  name: "(.*)"', graph, re.MULTILINE) == ["ids", "encoder/lstm", "loss"]
    assert 'input: "encoder/lstm"' in graph
    assert 'key: "_output_shapes"' in graph


def test_server_images(server: Server) -> None:
    (image,) = server.plugin("images/images", run="001", tag="weights/W", sample="0")
    assert image["step"] == 20
    pixels = server.fetch(f"plugin/images/individualImage?{image['query']}")
    np.testing.assert_array_equal(decode(pixels), np.full((2, 3, 3), 7))


def test_server_hparams(server: Server) -> None:
    columns = server.plugin("hparams/experiment", body={"experimentName": "", "includeMetrics": True})
    assert [info["name"]["tag"] for info in columns["metricInfos"]] == ["test/loss", "train/loss", "val/loss"]
    first, *others = (info["name"] for info in columns["hparamInfos"])
    assert first == "optimizer.lr"  # what differs between runs comes first
    assert {"only.001", "only.002"} < set(others)
    states = ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING", "STATUS_UNKNOWN"]
    request = {"allowedStatuses": states, "startIndex": 0, "sliceSize": 10, "includeMetrics": True}
    groups = server.plugin("hparams/session_groups", body=request)["sessionGroups"]
    shown = {group["name"]: (group["hparams"], group["metricValues"], group["sessions"]) for group in groups}
    assert sorted(shown) == ["001", "002"]
    hparams, metrics, (run,) = shown["002"]
    assert hparams == {**HPARAMS, "optimizer.lr": 0.00125, "clip_norm": "inf", "seed": str(2**60 + 1), "only.002": 1}
    (metric,) = (metric for metric in metrics if metric["name"]["tag"] == "test/loss")
    assert (metric["value"], metric["trainingStep"]) == (1.25, 30)
    assert run["status"] == "STATUS_FAILURE"
    assert shown["001"][2][0]["status"] == "STATUS_SUCCESS"


def test_server_custom_scalars(server: Server) -> None:
    (category,) = server.plugin("custom_scalars/layout")["category"]  # one, though both runs bring it
    assert category["title"] == "loss"
    assert [(chart["title"], chart["multiline"]["tag"]) for chart in category["chart"]] == [
        ("train against validation", ["train/loss", "val/loss"]),
        ("all", [".*/loss"]),
    ]
    curves = server.plugin("custom_scalars/scalars", run="001", tag=".*/loss")["tag_to_events"]
    assert sorted(curves) == ["test/loss", "train/loss", "val/loss"]


def test_server_projector(server: Server) -> None:
    (embedding,) = server.plugin("projector/info", run="001")["embeddings"]
    assert (embedding["tensorName"], embedding["tensorShape"]) == ("embedding/W", [3, 2])
    labels = server.fetch("plugin/projector/metadata", run="001", name="embedding/W").decode()
    assert labels == "a\n␣\n\\n\n"
    tensor = server.fetch("plugin/projector/tensor", run="001", name="embedding/W")
    np.testing.assert_array_equal(np.frombuffer(tensor, np.float32), np.arange(6))
