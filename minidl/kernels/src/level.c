// Which instructions the processor has.
#if defined __x86_64__ || defined __i386__
__attribute__((visibility("default"))) const char *simd_level(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma"))
        return "avx512";
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "avx2" : "baseline";
}
#else
__attribute__((visibility("default"))) const char *simd_level(void) { return "baseline"; }
#endif
