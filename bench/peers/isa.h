// The instruction set that a unit of another library is compiled for, by the name of the kernels' table.
#pragma once

#if defined(__AVX512F__)
#define RNN_PEER_ISA "avx512"
#elif defined(__AVX2__)
#define RNN_PEER_ISA "avx2"
#else
#define RNN_PEER_ISA ""  // every CPU's
#endif
