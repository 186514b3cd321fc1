// Which words of the operands a lane of a warp holds for mma.m16n8, whatever an element's width.
//
// A lies row by row and B column by column, both in words of 32 bits along k, the lowest element
// in the lowest bits. An instruction takes 16 rows, 8 columns and 8 words (PTX ISA, "Matrix
// Fragments for mma.m16n8k256", k64, k32 and k16: they differ in the bits of an element only).
// What lies beyond the edge of a matrix is read as zero, and not written. Loops over k are not
// unrolled: these kernels show an instruction, and how many of them a program holds is checked.

#pragma once
#include <stdint.h>

__device__ inline int group() { return (int)threadIdx.x / 4; }
__device__ inline int member() { return (int)threadIdx.x % 4; }

__device__ inline uint32_t word_at(const uint32_t* matrix, int line, int lines, int word, int words)
{
    return line < lines && word < words ? matrix[(int64_t)line * words + word] : 0;
}

// Registers of A: of rows 0-7 and 8-15, in the first four words and in the second.
__device__ inline void load_rows(
    uint32_t (&a)[4], const uint32_t* matrix, int row, int rows, int word, int words)
{
    for (int i = 0; i < 4; ++i)
        a[i] = word_at(matrix, row + group() + i % 2 * 8, rows, word + member() + i / 2 * 4, words);
}

// Registers of B: a column's word out of every four.
template <int COUNT>
__device__ inline void load_columns(
    uint32_t (&b)[COUNT], const uint32_t* matrix, int column, int columns, int word, int words)
{
    for (int i = 0; i < COUNT; ++i)
        b[i] = word_at(matrix, column + group(), columns, word + member() + i * 4, words);
}

// Row and column of a sum in a tile of 16 x 8.
__device__ inline int row_of(int i) { return group() + i / 2 * 8; }
__device__ inline int column_of(int i) { return member() * 2 + i % 2; }

template <typename Sum>
__device__ inline void store(
    const Sum (&sums)[4], Sum* matrix, int row, int rows, int column, int columns)
{
    for (int i = 0; i < 4; ++i) {
        const int r = row + row_of(i), c = column + column_of(i);
        if (r < rows && c < columns) matrix[(int64_t)r * columns + c] = sums[i];
    }
}
