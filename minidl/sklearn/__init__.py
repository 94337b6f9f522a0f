"""Networks for sequences as estimators of scikit-learn: in pipelines, grid searches and cross-validation.

They need `pip install 'minidl[sklearn]'`.
"""

try:
    import sklearn  # noqa: F401
except ModuleNotFoundError:
    raise ModuleNotFoundError("minidl.sklearn needs scikit-learn: pip install 'minidl[sklearn]'") from None

from minidl.sklearn.classifier import SequenceClassifier
from minidl.sklearn.forecaster import Forecaster
from minidl.sklearn.regressor import SequenceRegressor
from minidl.sklearn.tagger import SequenceTagger

__all__ = ["Forecaster", "SequenceClassifier", "SequenceRegressor", "SequenceTagger"]
