// Small things about symbols: their range, and the draw of one by the equation of minidl/generate/sampler.py.
#include "real.h"

// Whether all ids lie within lowest and highest
int EXPORT(within)(const int64_t *ids, int64_t n, int64_t lowest, int64_t highest) {
    int64_t outside = 0;
    for (int64_t k = 0; k < n; k++) outside |= (ids[k] < lowest) | (ids[k] > highest);
    return !outside;
}

// The symbol at this place, between 0 and 1, of the cumulative probabilities; -1 where a logit is not finite
int64_t EXPORT(draw)(const real *logits, int64_t n, double temperature, double where) {
    double room[1024], *p = n <= 1024 ? room : malloc(n * sizeof(double)), largest = logits[0], total = 0;
    if (!p) return -1;
    for (int64_t k = 1; k < n; k++) largest = logits[k] > largest ? logits[k] : largest;
    for (int64_t k = 0; k < n; k++) total += p[k] = exp((logits[k] - largest) / temperature);
    int64_t symbol = 0;
    for (double sum = p[0]; symbol < n - 1 && sum <= where * total; sum += p[symbol]) symbol++;
    if (p != room) free(p);
    return isfinite(total) && isfinite(largest) ? symbol : -1;
}
