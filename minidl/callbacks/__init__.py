"""What happens beside training: measuring, deciding, writing down, saving; one callback a file."""

from minidl.callbacks.baselines import Baselines
from minidl.callbacks.early_stop import EarlyStop
from minidl.callbacks.evaluate import Evaluate, evaluate
from minidl.callbacks.layer_metrics import LayerMetrics
from minidl.callbacks.own_folder import OwnFolder
from minidl.callbacks.reach_metrics import ReachMetrics
from minidl.callbacks.run_log import RunLog
from minidl.callbacks.sample import Sample
from minidl.callbacks.save_checkpoints import SaveCheckpoints
from minidl.callbacks.show_progress import ShowProgress
from minidl.callbacks.tensorboard import TensorBoard
from minidl.callbacks.train_metrics import TrainMetrics
from minidl.training.callback import Callback, Every

__all__ = [
    "Baselines",
    "Callback",
    "EarlyStop",
    "Evaluate",
    "Every",
    "LayerMetrics",
    "OwnFolder",
    "ReachMetrics",
    "RunLog",
    "Sample",
    "SaveCheckpoints",
    "ShowProgress",
    "TensorBoard",
    "TrainMetrics",
    "evaluate",
]
