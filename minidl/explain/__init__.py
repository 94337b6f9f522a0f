"""What a trained model does with one sequence: what it attends to, what its units tell apart."""

from minidl.explain.attribution import Attribution, integrated_gradients
from minidl.explain.cells import Feature, rank_units
from minidl.explain.influence import by_lag, influence
from minidl.explain.subject import Subject

__all__ = ["Attribution", "Feature", "Subject", "by_lag", "influence", "integrated_gradients", "rank_units"]
