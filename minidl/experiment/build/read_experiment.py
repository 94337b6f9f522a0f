"""Reading an experiment: the file, then its data, then the model, with all mistakes in one report."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from minidl.config.findings import Finding, gathered
from minidl.data import Data, Dataset
from minidl.experiment.build.check_training import training_mistakes
from minidl.experiment.build.experiment import Experiment, complete
from minidl.experiment.build.model_builder import Network, assemble
from minidl.experiment.build.model_package import files_beside, imported_files
from minidl.experiment.build.spec import DEFAULTS, Parts, homes, read_parts
from minidl.experiment.yaml import overrides, references
from minidl.experiment.yaml.document import load
from minidl.experiment.yaml.source_positions import Document, Mistake, report
from minidl.model import Model
from minidl.system.collector import at_rest
from minidl.system.errors import DataError, ExperimentError, MinidlError, UsageError

logger = logging.getLogger("minidl")
FACTS = "data."  # how references to facts of the data begin
EXAMPLE = 64  # stands for every fact of the data until the data is read


def read_experiment(path: str | Path, changes: list[str] | None = None) -> Experiment:
    """Read, check and build an experiment; ExperimentError lists all mistakes with their lines.

    changes: overrides such as "optimizer.lr=1e-3", checked like the file.
    """
    with at_rest():
        document = load(path)
        if document.tree.get("optimizer") is None:
            document.tree["optimizer"] = dict(DEFAULTS["optimizer"])  # so that a change can reach into it
        overrides.apply(document, changes or [])
        loader = _Loader(document, Path(path))
    dataset = loader.dataset()
    with at_rest():
        return loader.experiment(dataset)


class _Loader:
    """One experiment on its way from a document to a model."""

    def __init__(self, document: Document, path: Path) -> None:
        self.document, self.path = document, path
        self.wrong_references = ""
        self.parts = self._read_parts(example_facts(document.tree), None)

    def experiment(self, dataset: Dataset) -> Experiment:
        """The experiment on its data, or ExperimentError."""
        if any(name.startswith(FACTS) for name in references.references(self.document)):
            self.parts = self._read_parts(dataset.facts, self.parts)  # once more, now that the facts are known
        network, mistakes = gathered(assemble(self.parts, dataset))
        if network is None or self._mistaken:
            self._refuse(*mistakes)
        model = self._model(network)
        parts: Any = self.parts
        model.vocabulary, model.metadata = dataset.vocabulary, _metadata(parts.data, dataset)
        sections = parts.sections
        if sections["init_from"] is not None:
            sections["init_from"] = sections["init_from"].found_from(self.path.resolve().parent)
            sections["optimizer"] = sections["init_from"].freezing(sections["optimizer"])
        if mistakes := list(training_mistakes(sections["optimizer"], sections["train"], dataset, model)):
            self._refuse(*mistakes)
        self._tell_unreached(sections["train"].limits(dataset.train.steps_per_epoch))
        return Experiment(
            header=parts.header,
            **parts.sections,
            network=tuple(parts.layers) if network.settings is None else network.settings,
            loss=network.plan,
            dataset=dataset,
            model=model,
            folder=self._data_folder(),
            builder=parts.builder and parts.builder.path,
            code=_code(parts.builder.path) if parts.builder else {},
        )

    def _read_parts(self, facts: Mapping[str, Any], before: Parts | None) -> Parts:
        """All sections, checked, with these facts of the data in the place of references to them."""
        named = {f"{FACTS}{name}": value for name, value in facts.items()}
        try:
            tree = references.resolve(self.document, named)
        except ExperimentError as error:
            self.wrong_references = str(error)
            tree = self.document.tree
        return read_parts(tree, self.path.resolve().parent, self.path.stem, before)

    def _data_folder(self) -> Path:
        """Where paths of the data start: at the file that names them, or, on the command line, where they exist."""
        mark = self.document.mark(("data", "source"))
        if mark.source != overrides.SOURCE:
            return Path(mark.source).resolve().parent
        given = self.document.tree["data"].get("source")
        exists_here = isinstance(given, str) and Path(given).exists()
        return Path.cwd() if exists_here else self.path.resolve().parent

    def dataset(self) -> Dataset:
        """The data, also of a file that has mistakes elsewhere, so that layers can be judged too."""
        data = self.parts.data
        if data is None or (self._mistaken and _is_download(data)):
            self._refuse()
        try:
            return data.load(self._data_folder())
        except (DataError, UsageError) as error:
            self._refuse_data(error)

    def _refuse_data(self, error: MinidlError) -> NoReturn:
        """An error that stands at the name it begins with, or at the source; a mistake of the file where it is one."""
        first = str(error).partition(" ")[0]
        place = ("data", first if first in self.parts.tree["data"] else "source")
        if isinstance(error, DataError) and not self._mistaken:
            raise DataError(f"{self.document.mark(place)}: {error}") from None
        self._refuse(Finding(place, str(error)))

    def _tell_unreached(self, limits: Mapping[str, int]) -> None:
        """Warn of an end of training that the command line sets, where the file has another one that comes before."""
        first = min(limits, key=lambda name: limits[name], default="")
        for name in limits:
            change, own = (self.document.mark(("train", end)) for end in (name, first))
            if limits[name] > limits[first] and change.source == overrides.SOURCE != own.source:
                remedy = f"train.{first} ends training before {change.text} does; to lift it, add train.{first}=null"
                logger.warning("%s: %s", own, remedy)

    def _model(self, network: Network) -> Model:
        header: Any = self.parts.header
        outputs = {network.prediction.label: network.prediction}
        try:
            return Model(network.loss, outputs, seed=header.seed, dtype=header.dtype)
        except UsageError as error:  # too large, or names that the layers of a model file share
            self._refuse(Finding(("model",), str(error)))

    @property
    def _mistaken(self) -> bool:
        return bool(self.parts.mistakes or self.wrong_references)

    def _refuse(self, *further: Finding) -> NoReturn:
        """Raise one ExperimentError for all that was found so far."""
        found = [_at_home(finding) for finding in (*self.parts.mistakes, *further) if not self._waits(finding)]
        marked = report(Mistake(self.document.mark(finding.path), finding.message) for finding in found)
        raise ExperimentError("\n".join(filter(None, (self.wrong_references, marked))))

    def _waits(self, finding: Finding) -> bool:
        """Whether a value cannot be judged, because it is a reference and references are mistaken."""
        value: Any = self.document.tree
        for step in finding.path:
            if isinstance(value, str):
                break
            try:
                value = value[step]
            except LookupError:
                return False
        return bool(self.wrong_references) and isinstance(value, str) and "${" in value


def _code(builder: Path) -> dict[str, Path]:
    """A model file and what it imports of the user's, by their names in a run."""
    own = imported_files(builder)
    return {**own, **files_beside(own.values())}


def _metadata(data: Data, dataset: Dataset) -> dict[str, Any]:
    """What a model has to know to read new rows as those that it was trained on, and to answer in their terms."""
    section = {name: value for name, value in complete(data).items() if name != "source"}
    return {"data": section, **dataset.metadata}


def _at_home(finding: Finding) -> Finding:
    """A name in the wrong section is told where it belongs."""
    name, section = str(finding.path[-1]), homes().get(str(finding.path[-1]))
    if not finding.unknown or section is None or section == finding.path[0]:
        return finding
    return dataclasses.replace(finding, message=f"{name!r} is unknown here: it belongs in the section {section!r}")


def _is_download(data: Data) -> bool:
    return isinstance(getattr(data, "source", None), Mapping)


def example_facts(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the right kind for the facts that the data will have, to check the rest of a file by.

    >>> example_facts({"data": {"type": "text"}})["vocab_size"]
    64
    """
    section = tree.get("data")
    kind = section.get("type") if isinstance(section, Mapping) else None
    kinds = Data.types()
    meant = [kinds[kind]] if isinstance(kind, str) and kind in kinds else list(kinds.values())
    return {name: EXAMPLE for known in meant for name in known.facts}
