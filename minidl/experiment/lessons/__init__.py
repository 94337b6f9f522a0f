"""Lessons: layers with a mistake in their backward, to be found and mended, and graded by the gradient check."""

from minidl.experiment.lessons.exercises import EXERCISES, Exercise
from minidl.experiment.lessons.grade import Grade, grade

__all__ = ["EXERCISES", "Exercise", "Grade", "grade"]
