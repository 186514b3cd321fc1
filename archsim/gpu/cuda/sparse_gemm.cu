// Products of matrices of which two of every four numbers of a row are kept, on tensor cores.
//
// c [m, n] = a [m, k] b [n, k]', fp16 in and fp32 out; k is a multiple of 16. Kept numbers lie in
// order, two a word: values [m, k / 4]. The place of each among its four is in two bits, the first
// lowest, eight kept numbers in 16 bits: places [m, k / 16]. A warp makes one tile of 16 x 8.
// Launch: a warp a block, grid (ceil(n / 8), ceil(m / 16)).

#include "fragments.cuh"
#include "mma.cuh"

// Places 0 and 1: zeros beyond the edge must have places in order, too.
constexpr uint32_t NOWHERE = 0x4444;

__device__ inline uint32_t places_at(
    const uint16_t* places, int row, int rows, int field, int fields)
{
    return row < rows && field < fields ? places[(int64_t)row * fields + field] : NOWHERE;
}

extern "C" __global__ void sparse_gemm(
    const uint32_t* values, const uint16_t* places, const uint32_t* b, float* c,
    int m, int n, int k)
{
    const int row = (int)blockIdx.y * 16, column = (int)blockIdx.x * 8;
    const int words = k / 2, kept = k / 4, fields = k / 16;
    float sums[4] = {0, 0, 0, 0};
    #pragma unroll 1
    for (int step = 0; step * 16 < words; ++step) {
        uint32_t left[4], right[4];
        load_rows(left, values, row, m, step * 8, kept);
        load_columns(right, b, column, n, step * 16, words);
        const int field = step * 2 + member() % 2;
        const uint32_t lower = places_at(places, row + group(), m, field, fields);
        const uint32_t upper = places_at(places, row + group() + 8, m, field, fields);
        mma_sparse(sums, left, right, lower | upper << 16);
    }
    store(sums, c, row, m, column, n);
}
