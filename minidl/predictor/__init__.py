"""Answers of a trained model about rows that it has not seen, in the names and units of the rows that it has."""

from minidl.predictor.predictor import Predictor

__all__ = ["Predictor"]
