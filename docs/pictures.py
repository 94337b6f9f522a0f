"""Makes the pictures of the docs: trains small runs, starts a TensorBoard on them, photographs it in headless Chromium.

    python docs/pictures.py [--chromium PATH] [--runs DIR]

Runs that are in DIR already are not trained again. Needs pip install -e '.[view]', and a Chromium or Chrome.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PICTURES = Path(__file__).parent / "pictures"
EXPERIMENTS = {"char_lstm": 12, "char_gru": 5, "char_rnn": 5}  # epochs
SIZE = 1500, 900
COLOURS = 64  # of a picture file: enough for a page, and a third of the size
FLAGS = (
    *("--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
    *("--disable-quic", "--disable-sync", "--disable-background-networking", "--disable-component-update"),
)

# The page is made of web components: what is looked for may be in any of their shadow trees.
DEEP = """
const all = root => [...root.querySelectorAll('*')].flatMap(e => e.shadowRoot ? [e, ...all(e.shadowRoot)] : [e]);
const shown = e => e.getBoundingClientRect().width > 0;
const own = e => [...e.childNodes].filter(n => n.nodeType == 3).map(n => n.textContent).join('').trim();
const middle = e => { const box = e.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; };
const centred = e => e && shown(e) ? (e.scrollIntoView({block: 'center'}), middle(e)) : null;
"""


class Browser:
    """A headless Chromium, steered by its DevTools protocol through two pipes: messages of JSON that end in a zero."""

    def __init__(self, program: str, profile: str) -> None:
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        command = [program, *FLAGS, f"--user-data-dir={profile}", f"--window-size={SIZE[0]},{SIZE[1]}"]
        redirected = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'  # the two descriptors that Chromium looks for
        self._process = subprocess.Popen(
            ["sh", "-c", redirected, "sh", *command], pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._rest, self._count, self._session = b"", 0, ""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        screen = {"width": SIZE[0], "height": SIZE[1], "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **screen)

    def open(self, url: str) -> None:
        """Go to a page; a blank one between makes sure that it is loaded anew."""
        self._call("Page.navigate", url="about:blank")
        self._call("Page.navigate", url=url)

    def wait_for(self, expression: str, seconds: float = 40) -> Any:
        """The value of a JavaScript expression as soon as it is true, and what it moves has come to rest."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = self._evaluate(expression)
            if value:
                time.sleep(1.5)
                return self._evaluate(expression)
            time.sleep(0.3)
        raise SystemExit(f"the page never had: {expression}")

    def click(self, what: str, times: int = 1) -> None:
        """Click on the middle of what a JavaScript expression finds, in the middle of the window if it can be there."""
        x, y = self.wait_for(f"centred({what})")
        for count in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=count)
        time.sleep(1.5)

    def photograph(self, name: str, height: int = SIZE[1]) -> None:
        """Save what is seen as a small PNG file."""
        from PIL import Image

        clip = {"x": 0, "y": 0, "width": SIZE[0], "height": height, "scale": 1}
        data = self._call("Page.captureScreenshot", format="png", clip=clip)["data"]
        picture = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
        path = PICTURES / f"{name}.png"
        picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
        print(f"{path}: {path.stat().st_size // 1000} kB")

    def close(self) -> None:
        """End the browser."""
        self._call("Browser.close")
        self._process.wait(timeout=30)

    def _evaluate(self, expression: str) -> Any:
        code = f"(() => {{ {DEEP} return {expression} }})()"
        return self._call("Runtime.evaluate", expression=code, returnByValue=True)["result"].get("value")

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            data = os.read(self._from, 1 << 20)
            if not data:
                raise SystemExit("the browser has gone")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


def text(wanted: str) -> str:
    """JavaScript that finds the element with this text."""
    return f"all(document).find(e => own(e) == {json.dumps(wanted)} && shown(e))"


@contextmanager
def tensorboard(folder: Path) -> Iterator[str]:
    """A TensorBoard on a folder; yields its address."""
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-m", "tensorboard.main", f"--logdir={folder.name}", "--port=0"]
        process = subprocess.Popen(command, cwd=folder.absolute().parent, stdout=log, stderr=log)
        try:
            yield _address(process, log)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _address(process: subprocess.Popen[bytes], log: Any) -> str:
    while process.poll() is None:
        log.seek(0)
        if found := re.search(r"http://[\w.-]+:\d+", log.read()):
            time.sleep(5)  # it reads the runs
            return found[0]
        time.sleep(0.2)
    raise SystemExit("tensorboard did not start")


def curves(browser: Browser, url: str) -> None:
    """Training, validation and baselines in one chart."""
    browser.open(f"{url}/#custom_scalars&_smoothingWeight=0")
    browser.click("all(document).filter(e => e.getAttribute('icon') == 'fullscreen' && shown(e))[1]")
    browser.click("all(document).filter(e => own(e).startsWith('Matches'))[1].parentElement.querySelector('*')")
    browser.photograph("curves", 715)


def graph(browser: Browser, url: str) -> None:
    """The layers, with one of them opened and what computes in it clicked on."""
    node = "all(document).find(e => e.tagName == 'text' && e.closest('g.node') && e.textContent.endsWith({!r}))"
    browser.open(f"{url}/#graphs")
    browser.click(node.format("lstm"), times=2)
    browser.click(node.format("LSTM"))
    browser.photograph("graph", 700)


def texts(browser: Browser, url: str) -> None:
    """What the model writes."""
    browser.open(f"{url}/#text&tagFilter=0.8")
    browser.wait_for(f"Boolean({text('sample/temperature_0.8')})")
    browser.photograph("text", 700)


def histograms(browser: Browser, url: str) -> None:
    """Gates and cell states over time."""
    browser.open(f"{url}/#histograms&tagFilter=values%2Flstm")
    browser.wait_for("all(document).filter(e => e.tagName == 'VZ-HISTOGRAM-TIMESERIES').length > 4")
    browser.photograph("histograms", 680)


def gates(browser: Browser, url: str) -> None:
    """Gates and cell state while the layer reads."""
    browser.open(f"{url}/#images&tagFilter=values%2Flstm")
    browser.click(text("Show actual image size"))
    browser.wait_for("all(document).some(e => e.tagName == 'IMG' && e.naturalWidth > 800)")
    browser.photograph("gates")


def settings(browser: Browser, url: str) -> None:
    """Runs side by side, by the settings in which they differ."""
    browser.open(f"{url}/#hparams")
    for column in ("optimizer.lr.warmup_steps", "optimizer.weight_decay"):  # to have room for metrics
        browser.click(text(column))
    browser.photograph("hparams", 460)


def train(runs: Path) -> None:
    """The runs that are shown."""
    for name, epochs in EXPERIMENTS.items():
        if not (runs / name).exists():
            command = [sys.executable, "-m", "minidl.run", f"experiments/{name}.yaml", f"train.epochs={epochs}"]
            subprocess.run([*command, "--runs", str(runs.absolute())], cwd=ROOT, check=True)


def main() -> None:
    """Train, serve, photograph."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    parser.add_argument("--chromium", default=next(known, "chromium"), help="the browser (default: %(default)s)")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs", help="where runs lie (default: %(default)s)")
    arguments = parser.parse_args()
    train(arguments.runs)
    PICTURES.mkdir(exist_ok=True)
    views: dict[Path, list[Callable[[Browser, str], None]]] = {
        arguments.runs / "char_lstm": [curves, graph, texts, histograms, gates],
        arguments.runs: [settings],
    }
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(arguments.chromium, profile)
        for folder, shown in views.items():
            with tensorboard(folder) as url:
                for view in shown:
                    view(browser, url)
        browser.close()


if __name__ == "__main__":
    main()
