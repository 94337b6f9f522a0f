// Small things about symbols: their range, and the draw of one by the equation of minidl/generate/sampler.py.
#include "functions.h"

// Whether all ids lie within lowest and highest
int EXPORT(within)(const int64_t *ids, int64_t n, int64_t lowest, int64_t highest) {
    int64_t outside = 0;
    for (int64_t k = 0; k < n; k++) outside |= (ids[k] < lowest) | (ids[k] > highest);
    return !outside;
}

// The symbol at this place, between 0 and 1, of the cumulative probabilities; -1 where a logit is not finite
int64_t EXPORT(draw)(const real *logits, int64_t n, double temperature, double where) {
    real room[1024], *p = n <= 1024 ? room : allocate(n), largest = largest_of(n, logits);
    double total = 0, sum = 0;
    if (!p) return -1;
    uint64_t before = flush_denormals();
    EACH(n, put(p + j, exp_of((get(logits + j, width) - largest) / (real)temperature), width););
    for (int64_t k = 0; k < n; k++) total += p[k];
    int64_t symbol = 0;
    for (sum = p[0]; symbol < n - 1 && sum <= where * total; sum += p[symbol]) symbol++;
    restore_denormals(before);
    if (p != room) free(p);
    return isfinite(total) && isfinite(largest) ? symbol : -1;
}
