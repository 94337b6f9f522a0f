"""The page that shows a network at work: what it computes is what minidl computes, in a browser, for every kind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import chromium, opened
from runs import write_experiment
from subjects import KINDS, lstm, sequence, texts

from minidl import Input, Model
from minidl.cli.main import main
from minidl.data import Vocabulary
from minidl.exchange.html import Sample, page, write_page
from minidl.explain import Subject, by_lag, influence
from minidl.explain.answer import asked
from minidl.explain.embedded import Embedded
from minidl.explain.states import read, recurrent_layers, traces
from minidl.generate import Sampler, sample_text
from minidl.layers import LSTM, Dense, OneHot
from minidl.system.errors import UsageError

TEXTS = 50
HTML = Path(__file__).parents[1] / "minidl" / "exchange" / "html"
TABS = ("read", "one", "influence", "cells", "write")
COMPUTED = """texts => JSON.stringify(texts.map(text => {
  document.getElementById("text").value = text;
  read();
  const last = app.symbols.length - 1, plain = (array) => Array.from(array);
  const parts = {};
  for (const node of app.network.cells) {
    parts[node.name] = {};
    for (const [name, part] of Object.entries(app.pass.caches[node.name].parts))
      parts[node.name][name] = app.symbols.map((_, t) => plain(row(part, app.network.stepOf(node, app.pass, t))));
  }
  const output = Array.from({length: app.pass.output.rows}, (_, t) => plain(row(app.pass.output, t)));
  const influence = plain(app.network.influence(app.pass, last, app.answerOf(last)));
  return {input: app.input, output, parts, influence, lags: plain(byLag(app.network, app.pass))};
}))"""  # of all at once, and as one text: the page is drawn once, and playwright takes its time over each number


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("chromium"), locale="en-US") as context:
        yield context


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_computes_what_minidl_computes(kind: str, browser: Any, tmp_path: Path) -> None:
    subject = KINDS[kind]()
    write_page(tmp_path / "page.html", subject, kind)
    shown, complaints = opened(browser, tmp_path / "page.html")
    shown.click("#tab-cells")  # where the least is drawn
    embedded = Embedded.of(subject)
    given = texts(subject, TEXTS)
    for text, found in zip(given, json.loads(shown.evaluate(COMPUTED, given)), strict=True):
        ids = sequence(subject, text)
        np.testing.assert_allclose(found["input"], ids, atol=1e-9)
        read(subject, ids)
        arrays = subject.model.arrays
        output = arrays[f"{subject.model.graph.ends[subject.output]}/y"].reshape(-1, len(subject.names))
        np.testing.assert_allclose(found["output"], output, atol=1e-5)
        for layer in recurrent_layers(subject):
            for name, values in traces(subject.model, layer).items():
                np.testing.assert_allclose(found["parts"][layer][name], values, atol=1e-5)
        exact = embedded.forward({name: x[:, None] for name, x in embedded.rows(ids).items()}).copy()
        expected = influence(embedded, ids, [asked(subject, ids, exact, -1)])[:, 0]
        np.testing.assert_allclose(found["influence"], expected, atol=1e-5)
        np.testing.assert_allclose(found["lags"], by_lag(embedded, ids), atol=1e-5)
    assert complaints == []
    shown.close()


@pytest.mark.parametrize("kind", ["lstm", "tagger", "classifier", "forecaster", "rnn", "words", "attention"])
@pytest.mark.parametrize("language", ["en", "es"])
def test_every_tab_opens_and_takes_text(kind: str, language: str, browser: Any, tmp_path: Path) -> None:
    subject = KINDS[kind]()
    write_page(tmp_path / "page.html", subject, kind, sample=Sample(texts(subject, 1)[0]))
    shown, complaints = opened(browser, tmp_path / "page.html")
    if language == "es":
        shown.click("#language")
    assert shown.evaluate("document.documentElement.lang") == language
    for tab in TABS:
        if not shown.is_visible(f"#tab-{tab}"):
            assert tab == "write"
            assert kind not in ("lstm", "rnn", "words")
            continue
        shown.click(f"#tab-{tab}")
        shown.fill("#text", texts(subject, 3)[2])
        shown.locator("body").press("ArrowRight")
        shown.locator("body").press("ArrowDown")
        if tab == "one":
            shown.click("#one-on", click_count=9)
        if tab == "write":
            shown.fill("#length", "30")
            shown.click("#write-go")
            shown.locator("#write-symbols span").nth(29).wait_for()
        text = shown.locator(f"#{tab}").inner_text()
        assert text.strip()
        assert not re.search(r"undefined|NaN|\bnull\b|\{\w+\}", text), text
    assert complaints == []
    shown.close()


def test_numbers_of_one_step_satisfy_the_equations(browser: Any, tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", lstm(), "lstm")
    shown, _ = opened(browser, tmp_path / "page.html")
    shown.fill("#text", "ab<é>A B")
    v = shown.evaluate("() => { app.choose(5, 3); app.pinned = 7; app.choose(5); return ONE.values(); }")
    assert v["c"] == pytest.approx(v["f"] * v["c_prev"] + v["i"] * v["g"])
    assert v["h"] == pytest.approx(v["o"] * np.tanh(v["c"]))
    assert v["f"] == pytest.approx(1 / (1 + np.exp(-v["a_f"])))
    assert v["da_i"] == pytest.approx(v["dc"] * v["g"] * v["i"] * (1 - v["i"]))
    assert v["da_o"] == pytest.approx(v["dh"] * np.tanh(v["c"]) * v["o"] * (1 - v["o"]))
    assert v["dc_later"] != 0
    shown.close()


def test_it_writes_as_minidl_does(browser: Any, tmp_path: Path) -> None:
    subject = lstm()
    write_page(tmp_path / "page.html", subject, "lstm")
    shown, _ = opened(browser, tmp_path / "page.html")
    shown.fill("#text", "ab")
    shown.click("#tab-write")
    shown.fill("#temperature", "0")
    shown.fill("#length", "40")
    shown.click("#write-go")
    shown.locator("#write-symbols span").nth(39).wait_for()
    written = shown.evaluate("[...document.querySelectorAll('#write-symbols span')].map((s) => s.textContent).join('')")
    expected = "".join(sample_text(subject.model, prime="ab", length=40, sampler=Sampler(temperature=0)))
    assert written == shown.evaluate("text => Array.from(text, (x) => visible(x).replace('␣', ' ')).join('')", expected)
    shares = shown.evaluate(
        """() => { const random = randomNumbers(1), counts = [0, 0, 0];
        const logits = [5, 3, 2].map(Math.log), choice = {temperature: 1, topK: 2, topP: 1};
        for (let k = 0; k < 4000; k++) counts[draw(logits, choice, random)]++;
        return counts.map((count) => count / 4000); }"""
    )
    np.testing.assert_allclose(shares, [5 / 8, 3 / 8, 0], atol=0.03)
    shown.close()


def test_symbols_are_text_and_never_markup(browser: Any, tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    vocabulary = Vocabulary.from_words([evil, "a", "\u2028", "]]>"])
    ids = Input("ids", dtype="int", depth=len(vocabulary))
    model = Model(outputs={"logits": Dense(len(vocabulary))(LSTM(3, name="<b>lstm")(OneHot()(ids)))})
    model.vocabulary = vocabulary
    write_page(
        tmp_path / "page.html", Subject.of(model, {"reader": {"input": {"at_space": True}}}), evil, evil, Sample(evil)
    )
    shown, complaints = opened(browser, tmp_path / "page.html")
    assert shown.title() == f"minidl · {evil}"
    assert shown.locator("img").count() == 0
    assert complaints == []
    policy = (
        "script = document.createElement('script'); script.textContent = 'window.ran = 1'; document.body.append(script)"
    )
    shown.evaluate(f"() => {{ const {policy}; }}")
    assert shown.evaluate("window.ran") is None
    assert any("Content Security Policy" in complaint for complaint in complaints)
    shown.close()


def test_it_fits_a_phone_and_is_dark_where_the_system_is(browser: Any, tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", lstm(), "lstm")
    shown, _ = opened(browser, tmp_path / "page.html")
    shown.set_viewport_size({"width": 360, "height": 640})
    shown.emulate_media(color_scheme="dark")
    for tab in TABS:
        shown.click(f"#tab-{tab}")
        assert shown.evaluate("document.documentElement.scrollWidth") <= 360
    assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    shown.close()


def test_200_symbols_of_128_units_are_read_in_100_milliseconds(browser: Any, tmp_path: Path) -> None:
    vocabulary = Vocabulary.from_text("".join(map(chr, range(32, 127))))
    ids = Input("ids", dtype="int", depth=len(vocabulary))
    model = Model(outputs={"logits": Dense(len(vocabulary))(LSTM(128)(OneHot()(ids)))})
    model.vocabulary = vocabulary
    size = write_page(tmp_path / "page.html", Subject.of(model), "large", sample=Sample("Hello world. " * 15 + "Hello"))
    assert size < 1_000_000
    shown, _ = opened(browser, tmp_path / "page.html")
    session = browser.new_cdp_session(shown)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})  # of the processor

    def busy() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))

    seconds: list[float] = []
    while len(seconds) < 8 or (min(seconds) >= 0.1 and len(seconds) < 40):  # the best of several
        before = busy()
        shown.evaluate("read()")
        seconds.append(busy() - before)
    assert min(seconds) < 0.1
    assert shown.evaluate("app.symbols.length") == 200
    shown.close()


def test_what_the_page_cannot_run_is_refused() -> None:
    ids = Input("ids", dtype="int", depth=4)
    without_recurrence = Model(outputs={"y": Dense(4)(OneHot()(ids))})
    with pytest.raises(UsageError, match="recurrent layers, and this model has none"):
        page(Subject.of(without_recurrence), "none")
    two = Model(outputs={"y": LSTM(2)(Input("a", depth=2)), "z": LSTM(2)(Input("b", depth=2))})
    with pytest.raises(UsageError, match="one sequence is looked at, and this model reads 2"):
        Subject.of(two)


def test_the_page_is_small_and_fetches_nothing() -> None:
    files = [file for file in HTML.iterdir() if file.suffix in (".html", ".css", ".js")]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    assert sum(bool(line.strip()) for line in source.splitlines()) <= 1200
    assert max(len(line) for line in source.splitlines()) <= 170
    assert "innerHTML" not in source
    assert "eval(" not in source
    assert re.findall(r"https?://[^\"]+", source) == ["http://www.w3.org/2000/svg"]


def test_the_data_of_a_page_is_json() -> None:
    found = re.search(r'id="data">(.*?)</script>', page(lstm(), "a<b"))
    assert found is not None
    data = json.loads(found.group(1))
    assert data["name"] == "a<b"
    assert data["output"] == {
        "node": "dense", "kind": "softmax", "what": "next", "writes": True, "window": 0, "horizon": 0
    }  # fmt: skip


def test_the_commands_write_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(write_experiment(tmp_path, train__steps=1)), "name=seen"]) == 0
    capsys.readouterr()
    assert main(["view", "seen", "--no-open", "--json", "--text", "the the"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert Path(found["file"]).name == "seen-001.html"
    assert '"text": "the the"' in Path(found["file"]).read_text(encoding="utf-8")
    assert main(["export", "seen", "--format", "html"]) == 0
    assert capsys.readouterr().out == "wrote seen-001.html\n"
    assert Path("seen-001.html").stat().st_size > 50_000
    assert main(["export", "seen", "--format", "html", "--layout", "torch"]) == 2
