"""Spoiled experiment files: each is reported at the right line and column, once, with what to do, and quickly.

A case is a change of one of the sound files in tests/spoiled. The mark ¤ in the new text is where the mistake has to
be reported; it is taken out before the file is read.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from minidl.experiment import read_experiment
from minidl.experiment.build.spec import KNOWN, SECTIONS
from minidl.experiment.yaml.overrides import SOURCE
from minidl.graph.layer import Layer
from minidl.optim.schedules import Schedule
from minidl.system.errors import DataError, ExperimentError, suggest

SOUND = Path(__file__).parent / "spoiled"
SECONDS = 0.5


class Case(NamedTuple):
    file: str
    old: str
    new: str
    says: str


# Misspelt words, as <wrong=right>; the old text is the same with the right words.
MISSPELT = r"""
¤<nmae=name>: text
¤<sede=seed>: 1
¤<dtpye=dtype>: float32
¤dtype: <flaot32=float32>
¤<dta=data>:\n  type: text
¤<modle=model>:\n  layers
¤<los=loss>:\n  type: Soft
¤<optimiser=optimizer>:
¤<trian=train>:
¤<lgo=log>:\n
¤<smaple=sample>:
data:\n  ¤<typ=type>: text
¤type: <txt=text>\n
¤type: <Text=text>\n
¤<soruce=source>: book
¤<token=tokens>: char
¤tokens: <chars=char>
¤<splits=split>: [0.8
¤<batchsize=batch_size>: 4
¤<batch-size=batch_size>: 4
¤<seq_length=seq_len>: 8
¤<seqlen=seq_len>: 8
¤<layer=layers>:\n    -
- ¤type: <Embeding=Embedding>
- ¤type: <embedding=Embedding>
- ¤type: <LTSM=LSTM>
- ¤type: <lstm=LSTM>
- ¤type: <LSTMs=LSTM>
- ¤type: <BiDirectonal=Bidirectional>
¤<unit=units>: 6\n      drop
¤<Units=units>: 6\n      drop
¤<unitss=units>: 6\n    - type: LSTM
¤<droput=dropout>: 0.1
¤<drop_out=dropout>: 0.1
¤<nam=name>: both
¤<layr=layer>: {type
layer: {¤type: <GRUU=GRU>
layer: {type: GRU, ¤<unts=units>: 3
- ¤type: <Ad=Add>\n      inputs
¤<input=inputs>: [first
inputs: [¤<frist=first>, both
inputs: [first, ¤<bothe=both>
{¤type: <Dence=Dense>,
{type: Dense, ¤<naem=name>:
¤units: "${<data.vocabsize=data.vocab_size>}"
¤units: "${<dta.vocab_size=data.vocab_size>}"
¤<tied=tied_to>: symbols
- ¤{type: Dense, name: logits, units: "${data.vocab_size}", tied_to: <symbls=symbols>}
¤type: <SoftMaxCrossE=SoftmaxCE>\n
¤type: <SoftmaxEC=SoftmaxCE>\n
¤<reducton=reduction>: mean
¤reduction: <meen=mean>
¤<label_smoting=label_smoothing>: 0.1
¤type: <adam=Adam>\n
¤type: <Adaam=Adam>\n
¤<l_r=lr>: {type
lr: {¤<tpye=type>: cosine
lr: {¤type: <cosin=cosine>,
lr: {¤type: <Cosine=cosine>,
cosine, ¤<peek=peak>: 1e-2
¤<warm_up_steps=warmup_steps>: 5
¤<warmup=warmup_steps>: 5
¤<beta=betas>: [0.9
¤<weightdecay=weight_decay>: 0.01
¤<clipnorm=clip_norm>: 1.0
¤<epoch=epochs>: 2
¤<step=steps>: 20
¤<stat=state>: carry
¤state: <cary=carry>
¤<eval_every=evaluate_every>: {epochs
¤<evaluate=evaluate_every>: {epochs
¤<checkpoints_every=checkpoint_every>: {min
¤<sample_evry=sample_every>: {steps
¤<earlystop=early_stop>: {pat
early_stop: {¤<patients=patience>: 3
¤<mindelta=min_delta>: 0.01
¤<nonfinite=non_finite>: stop
¤non_finite: <stopp=stop>
evaluate_every: {¤<epoch=epochs>: 1
checkpoint_every: {¤<minute=minutes>: 1
sample_every: {¤<stpes=steps>: 10
log:\n  ¤<evry=every>: {steps
¤<histogram_every=histograms_every>: {epochs
¤<tensorbord=tensorboard>: true
¤<lenght=length>: 20
¤<temperature=temperatures>: [0.5
¤<prim=prime>: "a"
"""
WORD = re.compile(r"<(.*?)=(.*?)>")


def misspelt() -> list[Case]:
    cases = []
    for line in MISSPELT.strip().splitlines():
        change = line.replace("\\n", "\n")
        old, new = WORD.sub(r"\2", change).replace("¤", ""), WORD.sub(r"\1", change)
        cases.append(Case("text.yaml", old, new, f"did you mean {WORD.search(change)[2]!r}?"))  # type: ignore[index]
    return cases


WRONG = [
    Case("text.yaml", *change)
    for change in (
        # header
        ("name: text", "¤name: a/b", "a name of letters, digits,"),
        # no space
        ("every: {steps: 5}", "every: {¤steps:5}", "did you mean 'steps: 5'?"),
        ("{type: GRU, units: 3}", "{type: GRU, ¤units:3}", "did you mean 'units: 3'?"),
        ("- type: Add", "¤-{type: Last}\n    - type: Add", "a space belongs behind the '-'"),
        ("name: text", "¤name: [a]", "should be a text, got ['a']"),
        ("name: text", "¤name: 12", "should be a text, got 12"),
        ("seed: 1", "¤seed: one", "should be a whole number, got 'one'"),
        ("seed: 1", "¤seed: 1.5", "should be a whole number, got 1.5"),
        ("seed: 1", "¤seed: true", "should be a whole number, got true"),
        ("seed: 1", "¤seed: -1", "should be 0 or more, got -1"),
        ("dtype: float32", "¤dtype: 32", "should be 'float32' or 'float64', got 32"),
        ("seed: 1", "¤layers: []\nseed: 1", "unknown section 'layers'"),
        ("seed: 1", "¤epochs: 3\nseed: 1", "it belongs in the section 'train'"),
        ("seed: 1", "¤batch_size: 3\nseed: 1", "it belongs in the section 'data'"),
        # data
        ("  source: book.txt\n", "", "'source' is missing"),
        ("source: book.txt", "¤source: 5", "should be a text or a list or a mapping, got 5"),
        ("  source: book.txt", "  source: {url: 'https://a', ¤sha256: 5}", "should be a text, got 5"),
        ("tokens: char", "¤tokens: 5", "should be 'char', 'word' or 'bpe', got 5"),
        ("split: [0.8, 0.1, 0.1]", "¤split: 0.8", "should be a list or a mapping with kind or parts, got 0.8"),
        ("split: [0.8, 0.1, 0.1]", "¤split: {kind: random}", "should be 'ordered', for its parts"),
        ("split: [0.8, 0.1, 0.1]", "¤split: [0.8, 0.2]", "should be a list of 3, got [0.8, 0.2]"),
        ("split: [0.8, 0.1, 0.1]", "¤split: [0.5, 0.1, 0.1, 0.3]", "should be a list of 3"),
        ("split: [0.8, 0.1, 0.1]", "¤split: [0.5, 0.1, 0.1]", "shares (train, validation, test) that add up to 1"),
        ("split: [0.8, 0.1, 0.1]", "split: [0.8, 0.1, ¤x]", "should be a number, got 'x'"),
        ("batch_size: 4", "¤batch_size: 0", "should be greater than 0, got 0"),
        ("batch_size: 4", "¤batch_size: 4.5", "should be a whole number, got 4.5"),
        ("batch_size: 4", "¤batch_size: '4'", "should be a whole number, got '4'"),
        ("batch_size: 4", "¤batch_size:", "should be a whole number, got nothing"),
        ("seq_len: 8", "¤seq_len: -8", "should be greater than 0, got -8"),
        ("data:\n  type: text", "data:\n  ¤type: [text]", "there is no data of type ['text']"),
        ("seq_len: 8", "¤lr: 8", "it belongs in the section 'optimizer'"),
        # model
        ("layers:\n    - type: Embedding", "layers:\n    - ¤five\n    - type: Embedding", "a layer is written as"),
        ("layers:\n    - type: Embedding", "layers:\n    - ¤[]\n    - type: Embedding", "a layer is written as"),
        ("- type: LSTM\n      name: first\n      units: 6", "- ¤type: LSTM\n      name: first", "'units' is missing"),
        ("units: 6\n      dropout", "¤units: 0\n      dropout", "should be greater than 0, got 0"),
        ("units: 6\n      dropout", "¤units: six\n      dropout", "should be a whole number, got 'six'"),
        ("units: 6\n      dropout", "¤units: [6]\n      dropout", "should be a whole number, got [6]"),
        ("dropout: 0.1", "¤dropout: 1", "should be less than 1, got 1"),
        ("dropout: 0.1", "¤dropout: -0.1", "should be 0 or more, got -0.1"),
        ("dropout: 0.1", "¤dropout: .nan", "should be a finite number, got nan"),
        ("layer: {type: GRU, units: 3}", "¤layer: GRU", "should be a mapping with the type "),
        ("layer: {type: GRU, units: 3}", "layer: {¤type: Dense, units: 3}", "there is no layer of type 'Dense'"),
        ("inputs: [first, both]", "¤inputs: 5", "names such as [lstm, skip], or {x: lstm, lengths: lengths}, got 5"),
        ("inputs: [first, both]", "inputs: [first, ¤third]", "there is no node 'third' above"),
        ("name: both", "¤name: first", "there is a node or input named 'first' already"),
        ("name: both", "¤name: a b", "a name of letters, digits,"),
        ("- type: Add\n", "- ¤type: Dropout\n      rate: 0.1\n    - type: Add\n", "nothing follows 'dropout'"),
        ("units: 3}\n    - type: Add", "units: 4}\n    - ¤type: Add", "(T, B, 8)"),
        ("- {type: Dense", "- ¤{type: Dense, inputs: ids", "put OneHot() or Embedding(units) between"),
        ("tied_to: symbols", "inputs: both}\n    - ¤{type: LSTM, units: 3, inputs: [both, logits]", "lengths"),
        ("units: 6\n    - type: LSTM\n      name: first\n      units: 6",
         "units: 7\n    - type: LSTM\n      name: first\n      units: 6", "found ("),
        # loss, optimizer
        ("type: SoftmaxCE\n  reduction: mean\n  label_smoothing: 0.1", "¤type: Dense\n  units: 3", "is not a loss"),
        ("  type: SoftmaxCE\n", "", "'type' is missing"),
        ("reduction: mean", "¤reduction: [mean]", "should be 'mean', 'sum' or 'none', got ['mean']"),
        ("label_smoothing: 0.1", "¤label_smoothing: 2", "should be less than 1, got 2"),
        ("lr: {type: cosine,", "¤lr: fast #", "a number or a mapping with the type"),
        ("lr: {type: cosine,", "¤lr: -1 #", "should be 0 or more, got -1"),
        ("lr: {type: cosine, peak", "¤lr: {peak", "'type' is missing (known: constant, cosine"),
        ("lr: {type: cosine, peak: 1e-2,", "¤lr: {type: cosine,", "'peak' is missing"),
        ("betas: [0.9, 0.99]", "¤betas: [0.9]", "should be a list of 2, got [0.9]"),
        ("betas: [0.9, 0.99]", "betas: [0.9, ¤x]", "should be a number or a mapping with the type"),
        ("weight_decay: 0.01", "¤weight_decay: .inf", "should be a finite number, got inf"),
        ("clip_norm: 1.0", "¤clip_norm: 0", "should be greater than 0, got 0"),
        ("clip_norm: 1.0", "¤momentum: 0.9", "unknown name 'momentum'"),
        # train, log, sample
        ("epochs: 2\n", "¤epochs: 0\n", "should be greater than 0, got 0"),
        ("epochs: 2\n", "¤epochs: many\n", "should be a number, got 'many'"),
        ("steps: 20", "¤steps: 2.5", "should be a whole number, got 2.5"),
        ("train:\n  epochs: 2\n  steps: 20", "¤train:", "say when training ends: epochs, steps or minutes"),
        ("state: carry", "¤state: 1", "should be 'carry' or 'zero', got 1"),
        ("evaluate_every: {epochs: 1}", "¤evaluate_every: 5", "a mapping with steps, epochs or minutes, got 5"),
        ("evaluate_every: {epochs: 1}", "¤evaluate_every: {}", "an interval is one of {steps: N}"),
        ("evaluate_every: {epochs: 1}", "¤evaluate_every: {epochs: 1, steps: 2}", "an interval is one of {steps: N}"),
        ("evaluate_every: {epochs: 1}", "evaluate_every: {¤epochs: -1}", "should be greater than 0, got -1"),
        ("train:\n  epochs: 2\n  steps: 20\n  state: carry\n  evaluate_every: {epochs: 1}",
         "¤train:\n  steps: 20\n  evaluate_every: null", "it needs evaluate_every"),
        ("early_stop: {patience: 3, min_delta: 0.01}", "¤early_stop: true", "a mapping with patience or min_delta"),
        ("every: {steps: 5}", "¤every:", "a mapping with steps, epochs or minutes, got nothing"),
        ("tensorboard: true", "¤tensorboard: no", "should be true or false, got 'no'"),
        ("length: 20", "¤length: 0", "should be greater than 0, got 0"),
        ("temperatures: [0.5, 1.0]", "¤temperatures: 0.5", "should be a list, got 0.5"),
        ("temperatures: [0.5, 1.0]", "temperatures: [0.5, ¤-1]", "should be 0 or more, got -1"),
        ("temperatures: [0.5, 1.0]", "temperatures: [0.5, ¤1e400]", "1e400 is too large for a number"),
        ('prime: "a"', "¤prime: 5", "should be a text, got 5"),
        # YAML and references
        ("seed: 1", "seed: 1\n¤seed: 2", "the key 'seed' is given twice: first on line 2"),
        ("units: 6\n      dropout", "units: 6\n      ¤units: 7\n      dropout", "the key 'units' is given twice"),
        ("seed: 1", "¤seed 1", "expected 'key: value'"),
        ("seed: 1", "seed: ¤[1", "is never closed"),
        ("seed: 1", "seed: ¤'1", "this quote is never closed"),
        ("  tokens: char", "¤\ttokens: char", "tabs are not allowed"),
        ("  tokens: char", "   ¤tokens: char", "indentation"),
        ("seed: 1", "seed: ¤!!python/object:os.system 1", "tags are not allowed"),
        ("seed: 1", "seed: ¤*one", "no anchor 'one' above this alias"),
        ("seed: 1", "seed: ¤@1", "needs quotes"),
        ("seed: 1", "seed: 1\n¤---\na: 1", "one file holds one document"),
        ("seed: 1", "seed: 1\n¤[a]: 1", "a key is a text"),
        ("batch_size: 4", "¤batch_size: ${data.seq_lenn}", "did you mean 'data.seq_len'?"),
        ("batch_size: 4", "¤batch_size: ${data.batch_size}", "references go in a circle"),
        ("batch_size: 4", "¤batch_size: ${data.seq_len", "this '${' has no '}'"),
        ("batch_size: 4", "¤batch_size: ${name}", "should be a whole number, got 'text'"),
        ("units: 6\n      dropout", "¤units: ${model.layers.1.name}\n      dropout", "a whole number, got 'first'"),
        ("name: text", "¤extends: nowhere.yaml\nname: text", "nowhere.yaml does not exist"),
        ("name: text", "¤extends: spoiled.yaml\nname: text", "files extend one another in a circle"),
        ("name: text", "¤extends: [a.yaml]\nname: text", "extends should be the path of a file"),
    )
]  # fmt: skip
BUILT = [
    Case("built.yaml", *change)
    for change in (
        ("units: 6", "¤unit: 6", "did you mean 'units'?"),
        ("cell: LSTM", "cell: LSTM, ¤sell: LSTM", "did you mean 'cell'?"),
        ("cell: LSTM", "¤cell: LSTN", "did you mean 'LSTM'?"),
        ("type: net", "¤type: nett", "did you mean 'net'?"),
        ("type: net", "¤type: ../net", "the name of a file in models/"),
        ("type: net", "¤type: broken", "broken.py:1: expected ':'"),
        ("type: net", "¤type: empty", "should define a function named build"),
        ("model: {type: net, units: 6,", "¤model: {type: net,", "'units' is missing"),
        ("units: 6", "¤units: '6'", "should be a whole number, got '6'"),
        ("sizes: [3, 4]", "sizes: [3, ¤four]", "should be a whole number, got 'four'"),
        ("type: net", "¤type: net, fault: nothing", "should return a node"),
        ("type: net", "¤type: net, fault: division", "ZeroDivisionError"),
        ("type: net", "¤type: net, fault: wiring", "put OneHot() or Embedding(units) between"),
        ("model: {", "¤model: {layers: [], ", "a model is either"),
        ("name: built", "name: built\nsample:\n  ¤lenght: 5", "did you mean 'length'?"),
    )
]
# Changes on the command line, marked likewise.
CHANGED = [
    ("¤optimzer.lr=1e-3", "did you mean 'optimizer'?"),
    ("optimizer.¤rl=1e-3", "did you mean 'lr'?"),
    ("optimizer.¤tpye=SGD", "did you mean 'type'?"),
    ("optimizer.¤lr=fast", "a number or a mapping with the type"),
    ("optimizer={¤type: SDG, lr: 0.1}", "did you mean 'SGD'?"),
    ("optimizer={type: SGD, ¤momentun: 0.1}", "did you mean 'momentum'?"),
    ("model.layers.1.¤unit=256", "did you mean 'units'?"),
    ("model.layers.¤9.units=256", "is a list of length 5"),
    ("train.¤step=20", "did you mean 'steps'?"),
    ("train.steps=¤[20", "never closed"),
    ("¤train.steps", "a change is written key=value"),
    ("seed.¤value=3", "not a mapping"),
    ("model.¤layers=five", "layers should be a list of layers"),
    ("¤model=char_lstm", "a model is either {layers: [...]}, or {type: NAME"),
    ("¤data=book.txt", "should be a mapping with the type"),
    ("¤loss=~", "the section 'loss' is empty"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spoiled")
    shutil.copytree(SOUND, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "book.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 40)
    (folder / "models/broken.py").write_text("def build(ids, vocab_size)\n    return ids\n")
    (folder / "models/empty.py").write_text('"""Nothing."""\n')
    return folder


def refusal(path: Path, changes: list[str] | None = None) -> str:
    """What a file is refused for, within half a second of computing."""
    start = time.process_time()
    with pytest.raises(ExperimentError) as caught:
        read_experiment(path, changes)
    assert time.process_time() - start < SECONDS
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


def reported(message: str) -> list[str]:
    """The lines that say where something is wrong."""
    return [line for line in message.splitlines() if re.match(r"\S.*?:\d+:\d+: ", line)]


def marked(text: str) -> tuple[str, int, int]:
    """A text without its mark, and the line and column of the mark."""
    before = text[: text.index("¤")]
    return text.replace("¤", ""), before.count("\n") + 1, len(before) - before.rfind("\n")


@pytest.mark.parametrize("name", ["text.yaml", "built.yaml"])
def test_the_sound_files_are_sound(folder: Path, name: str) -> None:
    assert read_experiment(folder / name).name == Path(name).stem


CASES = [*misspelt(), *WRONG, *BUILT]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.new.strip()[:40]!r}" for case in CASES])
def test_a_spoiled_file_is_reported_at_the_right_place(folder: Path, case: Case) -> None:
    sound = (folder / case.file).read_text()
    assert sound.count(case.old) >= 1, "the case is spoiled itself"
    text, line, column = marked(sound.replace(case.old, case.new, 1) if "¤" in case.new else missing(sound, case))
    path = folder / "spoiled.yaml"
    path.write_text(text)
    found = reported(refusal(path))
    assert len(found) == 1, found
    assert found[0].startswith(f"{path}:{line}:{column}: ")
    assert case.says in found[0]


def missing(sound: str, case: Case) -> str:
    """Where a key is missing there is nothing to mark: the mapping around it is the place."""
    section = {"'source'": "data:", "'type'": "loss:", "found (": "{type: Dense, name: logits"}[
        case.says.split(" is")[0]
    ]
    return sound.replace(case.old, case.new, 1).replace(section, f"¤{section}", 1)


@pytest.mark.parametrize(("change", "says"), CHANGED)
def test_a_spoiled_change_is_reported_at_the_right_place(folder: Path, change: str, says: str) -> None:
    text, _, column = marked(change)
    found = reported(refusal(folder / "text.yaml", ["seed=2", text]))
    assert len(found) == 1, found
    assert found[0].startswith(f"{SOURCE}:2:{column}: ")
    assert says in found[0]


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 200
    assert len(misspelt()) >= 80


def slips(word: str) -> set[str]:
    """A letter left out, doubled, swapped with the next, or another one; wrong case; other ways to join words."""
    found = {word.upper(), word.lower(), word.replace("_", ""), word.replace("_", "-")}
    for i in range(len(word)):
        before, letter, after = word[:i], word[i], word[i + 1 :]
        found |= {
            before + after,
            before + 2 * letter + after,
            before + after[:1] + letter + after[1:],
            f"{before}x{after}",
        }
    return found - {word, ""}


def names_beside_one_another() -> Iterator[list[str]]:
    yield list(KNOWN)
    for family in (*SECTIONS.values(), Layer, Schedule):
        own = [cls for cls in family.types().values() if cls.__module__.startswith("minidl.")]
        yield [cls.type_name() for cls in own]
        yield from ([field.name for field in dataclasses.fields(cls)] for cls in own)


def test_a_slip_of_the_finger_leads_to_the_right_name() -> None:
    """For every name that a file may hold, and every single slip."""
    cases = [(slip, word, names) for names in names_beside_one_another() for word in names for slip in slips(word)]
    right = sum(suggest(slip, names) == f"; did you mean {word!r}?" for slip, word, names in cases)
    assert len(cases) > 3000
    assert right / len(cases) > 0.99


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(folder: Path) -> None:
    """Spelling, types, ranges, references, and layers that do not fit, beside one another."""
    text = (folder / "text.yaml").read_text()
    for old, new in (
        ("seed: 1", "seed: -1"),
        ("seq_len", "seqlen"),
        ("units: 3}", "units: 4}"),
        ("reduction: mean", "reduction: men"),
        ("clip_norm: 1.0", "clip_norm: x"),
        ("length: 20", "lenght: 20"),
    ):
        text = text.replace(old, new)
    (folder / "many.yaml").write_text(text)
    found = reported(refusal(folder / "many.yaml", ["train.steps=0"]))
    assert [int(line.split(":")[1]) for line in found] == [2, 10, 28, 35, 50, 1]
    found = reported(
        refusal(folder / "many.yaml", ["train.steps=0", "data={type: text, source: book.txt, seq_len: 8}"])
    )
    assert [int(line.split(":")[1]) for line in found] == [2, 23, 28, 35, 50, 1]


def test_sections_that_are_missing_are_all_named(folder: Path) -> None:
    (folder / "little.yaml").write_text("seed: 1\nmodle: {layers: []}\n")
    found = reported(refusal(folder / "little.yaml"))
    assert [re.findall(r"section '(\w+)'", line)[0] for line in found] == ["data", "loss", "modle"]


def test_a_wrong_reference_does_not_hide_other_mistakes(folder: Path) -> None:
    text = (folder / "text.yaml").read_text().replace("vocab_size", "vocab_sise").replace("seed: 1", "sede: 1")
    (folder / "two.yaml").write_text(text)
    found = reported(refusal(folder / "two.yaml"))
    assert [line.rpartition("did you mean ")[2].split("?")[0] for line in found] == ["'data.vocab_size'", "'seed'"]


def test_data_that_is_missing_has_its_place_too(folder: Path) -> None:
    text = (folder / "text.yaml").read_text().replace("book.txt", "bok.txt")
    (folder / "lost.yaml").write_text(text)
    with pytest.raises(DataError, match=r"lost.yaml:6:3: no file at .*did you mean 'book.txt'"):
        read_experiment(folder / "lost.yaml")
    (folder / "lost.yaml").write_text(text.replace("seed: 1", "seed: x"))
    assert [line.split(":")[1] for line in reported(refusal(folder / "lost.yaml"))] == ["2", "6"]
