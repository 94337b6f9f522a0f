"""Sample: text from the model as it is now, so that one can read how it learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import Ge, Gt

from minidl.data.tasks.documents import texts_of
from minidl.generate.sampler import Sampler
from minidl.generate.sampling import ends_of, sample_text, sample_texts
from minidl.model import Model
from minidl.training.callback import Abandoned, Callback, Run

DRAWN, SHOWN = 100, 10  # documents
Temperature = Annotated[float, Ge(0)]


@dataclass(eq=False)
class Sample(Callback):
    """Puts a text for each temperature into `trainer.texts`; of documents several, and the share of them that is new.

    length: symbols of a text. temperatures: how daring each is. prime: what it goes on from, shown unless it is white
    space. The draws depend on seed and step only, so that a resumed run writes the same texts.
    """

    length: Annotated[int, Gt(0)] = field(default=200, kw_only=True)
    temperatures: tuple[Temperature, ...] = field(default=(0.5, 0.8, 1.0), kw_only=True)
    prime: str = field(default="\n", kw_only=True)

    order = Callback.MEASURE

    def __post_init__(self) -> None:
        super().__post_init__()
        self._known: frozenset[str] | None = None  # documents of the training part

    def act(self, trainer: Run) -> None:
        """Draw the texts."""
        if trainer.model.vocabulary is None:
            return
        model = trainer.model.replica(weights=trainer.evaluated)
        if ends_of(model):
            self._documents(trainer, model)
            return
        texts: dict[str, str] = {}
        for temperature in self.temperatures:
            pieces = sample_text(
                model,
                prime=self.prime,
                length=self.length,
                sampler=Sampler(temperature),
                seed=trainer.model.seed + trainer.progress.step,
            )
            shown = self.prime if self.prime.strip() else ""
            written = [shown]
            for piece in pieces:
                if trainer.hurried:
                    raise Abandoned
                written.append(piece)
            texts[f"sample/temperature_{temperature:g}"] = "".join(written)
        trainer.texts |= texts

    def _documents(self, trainer: Run, model: Model) -> None:
        """Several documents for each temperature; of many the share that the training part does not have."""
        assert model.vocabulary is not None
        if self._known is None:
            self._known = texts_of(trainer.data.train, model.vocabulary)
        for temperature in self.temperatures:
            given: dict[str, Any] = {"prime": self.prime, "length": self.length, "sampler": Sampler(temperature)}
            found = sample_texts(model, DRAWN, seed=trainer.model.seed + trainer.progress.step, **given)
            whole = [self.prime.removeprefix("\n") + text for text in found]
            if trainer.hurried:
                raise Abandoned
            share = sum(text not in self._known for text in whole) / DRAWN
            trainer.record[f"sample/new_{temperature:g}"] = share
            trainer.texts[f"sample/temperature_{temperature:g}"] = "\n".join(
                [*whole[:SHOWN], f"({share:.0%} of {DRAWN} samples are new: not in the training part)"]
            )
