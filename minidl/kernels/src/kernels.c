// All kernels, for one type of numbers and one level of SIMD instructions.
#include "gru.h"
#include "ids.h"
#include "layer_norm.h"
#include "lstm.h"
#include "optimizers.h"
#include "rnn.h"
#include "softmax_ce.h"
