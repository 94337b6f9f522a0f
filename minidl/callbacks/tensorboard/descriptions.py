"""What each tag means, in a sentence that TensorBoard shows beside its chart."""

from __future__ import annotations

import re

# By regular expressions of whole tags; the first that fits.
MEANINGS: tuple[tuple[str, str], ...] = (
    (r".*/non_finite", "NaN or infinite values that the histogram has left out."),
    (r"train/loss", "Mean loss since the last record, in nats a symbol where the answer is one of several."),
    (r"train/smoothed_loss", "0.999 of itself and 0.001 of the loss, step by step."),
    (r"train/skipped", "Steps left out because loss or gradient was NaN or infinite."),
    (r"train/lr", "The learning rate of this step."),
    (r"train/grad_norm", "Norm of the whole gradient, before clipping. Peaks are steps that clipping has tamed."),
    (r"train/tokens_per_second", "Symbols or steps of sequences trained on in a second, all callbacks included."),
    (r".*/bits_per_char(/.*)?", "Loss in bits a character: loss / ln 2. What a compressor would need."),
    (r".*/unknown", "Share of words that are <unk>, not in the vocabulary: where it is high, perplexity says little."),
    (r".*/perplexity(/.*)?", "exp(loss): among how many words the model is undecided."),
    (r"(train|val|test)/accuracy", "Share of answers that are right. In training: of the last batch."),
    (r"layers/grad_norm/.*", "Norm of the gradient of these weights. Far below the others: hardly any learning."),
    (r"layers/update_norm/.*", "Norm of the last change of this layer's weights."),
    (r"layers/gradient_reach", "How many steps back the influence of a step on an answer is still a hundredth "
     "of that of the last step: the memory that is being trained."),
    (r"layers/gradient_by_lag/.*", "Influence of a step so many steps back, as a share of that of the last step. "
     "Where it falls to 0 the gradient has vanished."),
    (r"layers/saturation/.*", "Share of this gate's values within 0.05 of the ends of its range. "
     "A gate that is always shut or open has stopped learning."),
    (r"train/.*", "Measured on the last training batch."),
    (r"val_baseline/.*", "What guessing without a network achieves on the validation part."),
    (r"val/.*", "Measured on the validation part."),
    (r"test/.*", "Measured on the test part once, at the end, with the weights of the best checkpoint."),
    (r"weights/.*/gradient", "The gradient of these weights, as the optimizer used it."),
    (r"weights/.*/picture", "Wx and Wh as colours, a column a unit of a gate, a row of Wh a unit that goes in; those "
     "with the largest weights in Wh at the first picture come first."),
    (r"weights/.*", "The trained weights."),
    (r"values/.*/picture", "Gates and states while the layer reads a text, a row a unit, the most varying unit on top "
     "of the first picture; the order stays. Rows that change at a certain character tell what a unit does."),
    (r"values/.*/c", "Cell state. Values far out mean that the forget gate keeps too much."),
    (r"values/.*/([ifogrzn])", "Gate values in the first 8 sequences of the last training batch, without padding."),
    (r"values/.*", "Output of the layer in the first 8 sequences of the last training batch, without padding."),
    (r"sample/new_.*", "Share of documents drawn at this temperature that the training part does not have."),
    (r"sample/.*", "What the model writes, drawn at this temperature."),
)  # fmt: skip


def description(tag: str) -> str:
    """The meaning of a tag; nothing for one that is not known.

    >>> description("train/lr")
    'The learning rate of this step.'
    """
    return next((meaning for pattern, meaning in MEANINGS if re.fullmatch(pattern, tag)), "")
