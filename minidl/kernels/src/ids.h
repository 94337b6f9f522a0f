// Small things about symbols: their range, and the draw of one by the equation of minidl/generate/sampler.py.
#include "real.h"

// Whether all ids lie within lowest and highest
int EXPORT(within)(const int64_t *ids, int64_t n, int64_t lowest, int64_t highest) {
    int64_t outside = 0;
    for (int64_t k = 0; k < n; k++) outside |= (ids[k] < lowest) | (ids[k] > highest);
    return !outside;
}

// The symbol at this place, between 0 and 1, of the cumulative probabilities, for which there is room; -1 if not finite
int64_t EXPORT(draw)(const real *logits, int64_t n, double temperature, double where, double *cumulative) {
    real largest = logits[0];
    double total = 0;
    for (int64_t k = 0; k < n; k++) {
        if (!(logits[k] <= largest)) largest = logits[k];
        if (!isfinite(logits[k]) && !(logits[k] < 0)) return -1;
    }
    if (!isfinite(largest)) return -1;
    for (int64_t k = 0; k < n; k++) cumulative[k] = total += exp(((double)logits[k] - largest) / temperature);
    int64_t symbol = 0;
    while (symbol < n - 1 && cumulative[symbol] <= where * total) symbol++;
    return symbol;
}
