"""Sample: text from the model as it is now, so that one can read how it learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt

from minidl.generate.sampler import Sampler
from minidl.generate.sampling import sample_text
from minidl.training.callback import Abandoned, Callback

if TYPE_CHECKING:
    from minidl.training.callback import Run

Temperature = Annotated[float, Ge(0)]


@dataclass(eq=False)
class Sample(Callback):
    """Puts a text for each temperature into `trainer.texts`.

    length: symbols of a text. temperatures: how daring each is. prime: what it goes on from, shown unless it is white
    space. The draws depend on seed and step only, so that a resumed run writes the same texts.
    """

    length: Annotated[int, Gt(0)] = field(default=200, kw_only=True)
    temperatures: tuple[Temperature, ...] = field(default=(0.5, 0.8, 1.0), kw_only=True)
    prime: str = field(default="\n", kw_only=True)

    order = Callback.MEASURE

    def act(self, trainer: Run) -> None:
        """Draw the texts."""
        if trainer.model.vocabulary is None:
            return
        model = trainer.model.replica(weights=trainer.evaluated)
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
