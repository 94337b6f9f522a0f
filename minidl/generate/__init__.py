"""Writing with a trained language model: how the next symbol is chosen, and text from it."""

from minidl.generate.sampler import Sampler
from minidl.generate.sampling import sample_text, sample_texts
from minidl.generate.translate import translate

__all__ = ["Sampler", "sample_text", "sample_texts", "translate"]
