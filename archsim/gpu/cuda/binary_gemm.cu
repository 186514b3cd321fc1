// Products of bipolar integers of any widths on one-bit tensor cores.
//
// y [m, n] = w [m, k] x [n, k]', each given as planes of bits: w [p, m, words], x [q, n, words],
// words = ceil(k / 32), filled up with zeros (archsim.formats.bipolar). A warp makes one tile of
// 16 x 8; sums over all pairs of planes stay in its registers and are written once.
// Launch: a warp a block, grid (ceil(n / 8), ceil(m / 16)).

#include "fragments.cuh"
#include "mma.cuh"

// Returns what k products of +-1 under all pairs of planes amount to, less twice those that differ.
__device__ inline int32_t bipolar(int32_t different, int k, int p, int q)
{
    return ((1 << p) - 1) * ((1 << q) - 1) * k - 2 * different;
}

template <typename Count>
__device__ inline void multiply(
    const uint32_t* w, const uint32_t* x, int32_t* y, int m, int n, int k, int p, int q, Count count)
{
    const int row = (int)blockIdx.y * 16, column = (int)blockIdx.x * 8, words = (k + 31) / 32;
    int32_t different[4] = {0, 0, 0, 0};
    for (int i = 0; i < p; ++i)
        for (int j = 0; j < q; ++j) {
            int32_t ones[4] = {0, 0, 0, 0};
            #pragma unroll 1
            for (int word = 0; word < words; word += 8) {
                uint32_t a[4], b[2];
                load_rows(a, w + (int64_t)i * m * words, row, m, word, words);
                load_columns(b, x + (int64_t)j * n * words, column, n, word, words);
                count.add(ones, a, b);
            }
            count.finish(ones, i, j, row, column);
            for (int t = 0; t < 4; ++t) different[t] += ones[t] << (i + j);
        }
    for (int t = 0; t < 4; ++t) different[t] = bipolar(different[t], k, p, q);
    store(different, y, row, m, column, n);
}

struct Xor {
    __device__ void add(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
    {
        mma_xor(d, a, b);
    }
    __device__ void finish(int32_t (&)[4], int, int, int, int) {}
};

// Where there is AND only: a and b differ in popc(a) + popc(b) - 2 popc(a and b) bits.
struct And {
    const int32_t *w_ones, *x_ones;  // of a row of a plane: [p, m], [q, n]
    int m, n;

    __device__ void add(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
    {
        mma_and(d, a, b);
    }
    __device__ void finish(int32_t (&d)[4], int i, int j, int row, int column)
    {
        for (int t = 0; t < 4; ++t) {
            const int r = row + row_of(t), c = column + column_of(t);
            if (r < m && c < n) d[t] = w_ones[i * m + r] + x_ones[j * n + c] - 2 * d[t];
        }
    }
};

extern "C" __global__ void binary_gemm_xor(
    const uint32_t* w, const uint32_t* x, int32_t* y, int m, int n, int k, int p, int q)
{
    multiply(w, x, y, m, n, k, p, q, Xor{});
}

extern "C" __global__ void binary_gemm_and(
    const uint32_t* w, const uint32_t* x, const int32_t* w_ones, const int32_t* x_ones, int32_t* y,
    int m, int n, int k, int p, int q)
{
    multiply(w, x, y, m, n, k, p, q, And{w_ones, x_ones, m, n});
}
