// The kernels in CUDA C++, compiled for a CPU and called with a grid of warps.

#include "mma.cuh"

#include "binary_gemm.cu"
#include "int4_gemm.cu"
#include "sparse_gemm.cu"
#include "tiles_spmm.cu"

static void tiles(int m, int n, std::function<void()> function)
{
    launch((n + 7) / 8, (m + 15) / 16, function);
}

extern "C" void run_xor(const uint32_t* w, const uint32_t* x, int32_t* y,
                        int m, int n, int k, int p, int q)
{
    tiles(m, n, [=] { binary_gemm_xor(w, x, y, m, n, k, p, q); });
}

extern "C" void run_and(const uint32_t* w, const uint32_t* x, const int32_t* w_ones,
                        const int32_t* x_ones, int32_t* y, int m, int n, int k, int p, int q)
{
    tiles(m, n, [=] { binary_gemm_and(w, x, w_ones, x_ones, y, m, n, k, p, q); });
}

extern "C" void run_int4(const uint32_t* a, const uint32_t* b, int32_t* c, int m, int n, int k)
{
    tiles(m, n, [=] { int4_gemm(a, b, c, m, n, k); });
}

extern "C" void run_sparse(const uint32_t* values, const uint16_t* places, const uint32_t* b,
                           float* c, int m, int n, int k)
{
    tiles(m, n, [=] { sparse_gemm(values, places, b, c, m, n, k); });
}

extern "C" void run_tiles(const uint32_t* packed, const int32_t* offsets, const uint32_t* b,
                          float* c, int m, int n, int k)
{
    launch((n + 7) / 8, (m + 127) / 128, [=] { tiles_spmm(packed, offsets, b, c, m, n, k); });
}
