/* librnn: recurrent neural networks on the CPU.
 *
 * The simplest whole program:
 *
 *   #include <rnn/rnn.h>
 *   #include <stdio.h>
 *
 *   int main(void) {
 *     rnn_config_t config = {.struct_size = sizeof config, .input_size = 3, .hidden_size = 16,
 *                            .output_size = 2};
 *     rnn_t *rnn = NULL;
 *     if (rnn_create(&config, &rnn) != RNN_OK) return fprintf(stderr, "%s\n", rnn_last_error()), 1;
 *     const float x[3] = {0.1f, 0.2f, 0.3f};
 *     float y[2];
 *     rnn_step(rnn, x, y);
 *     printf("%g %g\n", y[0], y[1]);
 *     rnn_destroy(rnn);
 *     return 0;
 *   }
 *
 * Conventions
 *   Matrices are row-major and dense. Sizes are in elements. Every pointer that is passed in belongs
 *   to the caller, and is not kept after the call unless the comment says so.
 *   Fallible functions return a status; on failure rnn_last_error() says what was wrong, out-parameters
 *   are not written and every handle is as it was, unless the function's comment says otherwise.
 *   Option structs start with struct_size, which the caller sets to sizeof; every other field that is
 *   zero means its default. A larger struct from a newer caller is accepted if the extra bytes are zero.
 *   What a call writes may not overlap what it reads.
 *   A call computes in floating-point modes of its own: its results and messages are the same in all modes of
 *   the caller (rounding, flushing of subnormals, traps), which it gives back, exception flags included.
 *   Once several threads have trained, the library, or the plugin that the archive is part of, stays in
 *   memory after dlclose: oneTBB's threads live on. They do not live on in a child by fork: there, copies of
 *   handles that no other thread was using go on, and train on the calling thread alone, to the same bits.
 *   Such a child ends by exec or _exit: in exit, oneTBB may wait for threads that the child does not have.
 *   A handle is for one thread at a time; different handles may be used by different threads at once,
 *   also when they share weights.
 *
 * Letters in shapes: I input_size, H hidden_size, P width of h (projection_size, or H), D directions (2 if
 * bidirectional, or 1), O outputs (output_size, or D P without a head), L num_layers, G gates of the cell,
 * S state size, N sequences, F frames (all steps of all sequences).
 */
#ifndef RNN_RNN_H
#define RNN_RNN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(RNN_STATIC)
#define RNN_API
#elif defined(_WIN32)
#ifdef RNN_BUILDING
#define RNN_API __declspec(dllexport)
#else
#define RNN_API __declspec(dllimport)
#endif
#else
#define RNN_API __attribute__((visibility("default")))
#endif

/* ---- Status ------------------------------------------------------------------------------------ */

typedef int32_t rnn_status_t;
enum {
  RNN_OK = 0,
  RNN_INVALID_ARGUMENT = 1, /* an argument is NULL, out of range, or contradicts another */
  RNN_NOT_FOUND = 2,        /* no parameter or metadata of that name */
  RNN_MISMATCH = 10,        /* the state, weights or checkpoint belong to another architecture */
  RNN_NOT_FINITE = 11,      /* a loss or gradient became NaN or infinite; the last good weights stay */
  RNN_OUT_OF_MEMORY = 20,
  RNN_FILE_ERROR = 30,      /* the operating system refused to open, read, write or rename */
  RNN_BAD_FORMAT = 31,      /* the file's contents are damaged, hostile or of an unknown kind */
  RNN_UNSUPPORTED = 40,     /* not on this CPU, not in this build, or no network that the library computes */
  RNN_UNAVAILABLE = 50,     /* the ranks of a job could not exchange data */
  RNN_INTERNAL = 90
};

/* Name a status: "RNN_OK", "RNN_INVALID_ARGUMENT", ...; "unknown status" for any other value.
 *
 * Returns  a string that lives as long as the program
 * Errors   none
 * Threads  any
 * Realtime yes
 * Since    0.1 */
RNN_API const char *rnn_status_string(rnn_status_t status);

/* Say what the last failed call of this thread found wrong, with the values: "rnn_create:
 * config.hidden_size is 0; it must be 1..65536". A field is named by its argument, a point and its name,
 * "data.lengths[3]"; other fields of the same struct follow by their names alone. Empty before the first
 * failure. A call that succeeds does not change it. It is UTF-8 without control characters, whatever a file
 * or the caller gave: a byte that is not UTF-8 or an ASCII control is shown as \x1B, a character that
 * controls lines or the direction of text as \u{202E}. A message of 1024 bytes or more lacks its middle.
 *
 * Returns  a string that lives until this thread's next failing call
 * Errors   none
 * Threads  any; each has its own message
 * Realtime no: first use in a thread may allocate
 * Since    0.1 */
RNN_API const char *rnn_last_error(void);

/* ---- Version and CPU --------------------------------------------------------------------------- */

#define RNN_VERSION_MAJOR 0
#define RNN_VERSION_MINOR 1
#define RNN_VERSION_PATCH 0

/* The library's version, "0.1.0".
 *
 * Returns  a string that lives as long as the program
 * Errors   none
 * Threads  any
 * Realtime yes
 * Since    0.1 */
RNN_API const char *rnn_version(void);

/* The instruction set in use: "sse2", "avx2", "avx512", "neon", of WebAssembly "wasm" or "wasm_fma" or, plain
 * code for every CPU, "scalar". It is the best one of this CPU, or the lower one that environment variable
 * RNN_ISA names; it is chosen once, at first use. "none" if RNN_ISA names one that this CPU or build lacks.
 *
 * Returns  a string that lives as long as the program
 * Errors   none (an RNN_ISA that this CPU or build lacks makes rnn_create fail)
 * Threads  any
 * Realtime no: the first call reads the environment
 * Since    0.1 */
RNN_API const char *rnn_isa(void);

/* ---- Create ------------------------------------------------------------------------------------ */

/* One stream: a reference to weights, which any number of streams may share, and a hidden state. */
typedef struct rnn_handle rnn_t;

/* rnn_config_t.cell. s is the logistic sigmoid, * the product by element. Matrices and vectors of several
 * gates hold them one after the other in the order given here, which is PyTorch's. */
enum {
  /* Default (Elman 1990), h_t = tanh(W_ih x_t + W_hh h_{t-1} + b); with RNN_FLAG_RELU max(0, .) for tanh. */
  RNN_CELL_VANILLA = 1,
  /* Cho et al. 2014. Gates r, z, n:
   *   r = s(W_ir x + W_hr h + b_r)    z = s(W_iz x + W_hz h + b_z)
   *   n = tanh(W_in x + b_n + r * (W_hn h + b_hn))    h' = (1 - z) * n + z * h
   * with RNN_FLAG_RESET_BEFORE: n = tanh(W_in x + b_n + W_hn (r * h)). */
  RNN_CELL_GRU = 2,
  /* Hochreiter & Schmidhuber 1997, Gers et al. 2000. Gates i, f, g, o:
   *   i, f, o = s(W_i. x + W_h. h + b.)    g = tanh(W_ig x + W_hg h + b_g)
   *   c' = f * c + i * g    h' = o * tanh(c'), or W_hr (o * tanh(c')) with projection_size
   * with RNN_FLAG_PEEPHOLES s also has p_i * c in i, p_f * c in f and p_o * c' in o;
   * with RNN_FLAG_COUPLED_GATES f = 1 - i. Gates are then i, g, o: f has no rows, no bias and no peephole. */
  RNN_CELL_LSTM = 3,
  /* The minimal GRU, whose gates do not read h: no weight_hh. Feng, Tung, Ahmed, Bengio & Hajimirsadegh 2024
   * (arXiv:2410.01201v1), with c made positive by g, as in its appendix B.3. Gates z, c:
   *   z = s(W_iz x + b_z)    c = g(W_ic x + b_c)    h' = (1 - z) * h + z * c
   *   g(v) = v + 1/2 where v >= 0, else s(v)
   * Not with RNN_FLAG_LAYER_NORM. */
  RNN_CELL_MIN_GRU = 4,
  /* The minimal LSTM of the same paper, with f and i divided by their sum, the same g, and no output gate.
   * Gates f, i, c:
   *   f, i = s(W_i. x + b.)    c = g(W_ic x + b_c)    h' = f / (f + i) * h + i / (f + i) * c
   * Where f and i are both less than FLT_MIN, h' = h. Not with RNN_FLAG_LAYER_NORM. */
  RNN_CELL_MIN_LSTM = 5
};

enum { /* rnn_config_t.init and recurrent_init; fan_in = columns, fan_out = rows of each gate's matrix */
  RNN_INIT_PYTORCH = 1,        /* default: U(-1/sqrt(H), 1/sqrt(H)), biases too */
  RNN_INIT_XAVIER_UNIFORM = 2, /* U(-a, a), a = sqrt(6 / (fan_in + fan_out)); Glorot & Bengio 2010 */
  RNN_INIT_XAVIER_NORMAL = 3,  /* N(0, 2 / (fan_in + fan_out)) */
  RNN_INIT_KAIMING_UNIFORM = 4, /* U(-a, a), a = sqrt(6 / fan_in); He et al. 2015 */
  RNN_INIT_KAIMING_NORMAL = 5, /* N(0, 2 / fan_in) */
  RNN_INIT_UNIFORM = 6,        /* U(-init_range, init_range), biases too */
  RNN_INIT_ORTHOGONAL = 7,     /* recurrent only: a random orthogonal matrix; Saxe et al. 2014 */
  RNN_INIT_IDENTITY = 8        /* recurrent only: the identity; Le, Jaitly & Hinton 2015 */
};                             /* biases are zero except where "biases too" is said */

enum { /* rnn_config_t.initial_state */
  RNN_INITIAL_ZERO = 0,   /* default */
  RNN_INITIAL_FIXED = 1,  /* a parameter that training leaves alone */
  RNN_INITIAL_TRAINED = 2 /* a parameter that training learns */
};

/* What the matrix products of a network compute with. Parameters are floats in all of them, as are sums but
 * for RNN_COMPUTE_INT8's, states, outputs and gradients; so are files. Results have the same bits on every
 * CPU, but for RNN_COMPUTE_BF16_FAST's. */
enum { /* rnn_config_t.compute */
  RNN_COMPUTE_F32 = 0,  /* default */
  RNN_COMPUTE_BF16 = 1, /* what is multiplied is rounded to bfloat16: half the bytes to read, and on CPUs with
                           AVX512_BF16 up to twice the products in a second; for training, too, which takes
                           somewhat longer than with float on other CPUs (`rnn bench` says it) */
  RNN_COMPUTE_INT8 = 2, /* weights are rounded to 8 bits with a scale for each row, and each vector that they
                           are multiplied by with a scale of its own: a quarter of the bytes. Not for
                           training */
  RNN_COMPUTE_BF16_FAST = 3 /* RNN_COMPUTE_BF16, but by AMX where the CPU and this build have it and a layer
                           has 64 units or more. AMX takes sums in an order of its own, and the last bits
                           differ from other CPUs': of all configurations, only this one's bits depend on the
                           CPU. Without AMX they are RNN_COMPUTE_BF16's. RNN_ISA has no effect on whether AMX
                           is used */
};

enum { /* rnn_config_t.flags, added together */
  RNN_FLAG_NO_BIAS = 1,       /* neither the layers nor the head have biases */
  RNN_FLAG_RELU = 2,          /* vanilla: max(0, .) instead of tanh */
  RNN_FLAG_RESET_BEFORE = 4,  /* GRU: the reset gate acts before the product, as in ONNX's default */
  RNN_FLAG_BIDIRECTIONAL = 8, /* each layer also reads the sequence backwards; its output is both h, forward
                            first. For whole sequences alone. Schuster & Paliwal 1997 */
  RNN_FLAG_RESIDUAL = 16,     /* the output of each layer but the first is h plus the layer's input */
  RNN_FLAG_LAYER_NORM = 32,   /* W_ih x and W_hh h, over all gates, each become (v - mean) /
                            sqrt(variance + 1e-5) times a gain before they are added; not with
                            RNN_FLAG_RESET_BEFORE. Ba et al. 2016 */
  RNN_FLAG_TIED_HEAD = 64,    /* the head's matrix is the embedding: embedding_size must be the width of the
                            last layer's output, and output_size input_size. Press & Wolf 2017 */
  RNN_FLAG_PEEPHOLES = 128,   /* LSTM: the gates read c, by element. The peepholes begin as biases do, and are
                            there with RNN_FLAG_NO_BIAS, too. Gers & Schmidhuber 2000 */
  RNN_FLAG_COUPLED_GATES = 256 /* LSTM: the forget gate is 1 - i; not with forget_bias. Greff et al. 2017 */
};

/* rnn_layer_t.kind: RNN_CELL_..., or one of these. */
enum {
  RNN_LAYER_DENSE = 64, /* y_t = f(W x_t + b), where f is the activation */
  /* A causal convolution over the steps: y_t = f(sum over k of W_k x_{t - (K - 1 - k) dilation} + b), where K
   * is the kernel_size. Inputs before the first step are those of the state, 0 at first. */
  RNN_LAYER_CONV1D = 65
};

/* rnn_layer_t.activation and its like: f(z), by element but for the softmax; a is alpha, b is beta. */
enum {
  RNN_ACTIVATION_NONE = 0,         /* default: z */
  RNN_ACTIVATION_TANH = 1,
  RNN_ACTIVATION_RELU = 2,         /* max(0, z) */
  RNN_ACTIVATION_SIGMOID = 3,      /* 1 / (1 + exp(-z)) */
  RNN_ACTIVATION_SOFTMAX = 4,      /* exp(z_i) / sum of exp(z_j) over the layer's elements */
  RNN_ACTIVATION_ELU = 5,          /* z > 0 ? z : a (exp(z) - 1); default a = 1. Clevert et al. 2016 */
  RNN_ACTIVATION_LEAKY_RELU = 6,   /* z > 0 ? z : a z; default a = 0.01 */
  RNN_ACTIVATION_PRELU = 7,        /* z > 0 ? z : slope z, a trained slope for each element. He et al. 2015 */
  RNN_ACTIVATION_SOFTSIGN = 8,     /* z / (1 + |z|) */
  RNN_ACTIVATION_GELU = 9,         /* z (1 + erf(z / sqrt(2))) / 2. Hendrycks & Gimpel 2016 */
  RNN_ACTIVATION_SWISH = 10,       /* z / (1 + exp(-z)), also called SiLU. Ramachandran et al. 2017 */
  RNN_ACTIVATION_HARD_SIGMOID = 11, /* max(0, min(1, a z + b)); default a = 0.2, b = 0.5 */
  RNN_ACTIVATION_SOFTPLUS = 12,    /* log(1 + exp(z)) */
  RNN_ACTIVATION_AFFINE = 13,      /* a z + b; default a = 1, b = 0 */
  RNN_ACTIVATION_SCALED_TANH = 14, /* a tanh(b z); default a = 1, b = 1 */
  RNN_ACTIVATION_THRESHOLDED_RELU = 15 /* z > a ? z : 0; default a = 1 */
};

enum { /* rnn_layer_t.direction; all but the first are for whole sequences alone */
  RNN_DIRECTION_FORWARD = 0, /* default */
  RNN_DIRECTION_REVERSE = 1, /* from the last step to the first */
  RNN_DIRECTION_BOTH = 2,    /* both, each with weights of its own; the output is both h, forward first */
  RNN_DIRECTION_SUM = 3      /* both; the output is the sum of both h. Not of the layer that RNN_POOLING_LAST
                                takes */
};

/* rnn_sequences_t.pooling, rnn_forward_options_t.pooling: the output of a whole sequence. Pooling takes the
 * outputs of the last layer that is a cell or a convolution. The dense layers behind it, the head among them,
 * read what is pooled, once for each sequence. For a dense layer before the pooling, make it a convolution
 * with kernel_size 1. Of dense layers alone, pooling takes the outputs of the last one before the head. */
enum {
  RNN_POOLING_NONE = 0, /* an output for each step */
  RNN_POOLING_LAST = 1, /* from the layer's output after the last step (of a reverse direction, the first) */
  RNN_POOLING_MEAN = 2, /* from its mean over the steps since the last reset */
  RNN_POOLING_MAX = 3   /* from its largest value in each element over those steps */
};

/* Where a network's memory comes from. Both functions may be called by any thread that uses a handle of
 * the network or one that shares its weights, never by the real-time functions. They may be called in another
 * floating-point mode than the caller's (round to nearest, no traps), which they leave as it is. */
typedef struct rnn_allocator {
  size_t struct_size;
  void *(*allocate)(size_t size, size_t alignment, void *user); /* NULL when out of memory */
  void (*deallocate)(void *memory, size_t size, size_t alignment, void *user);
  void *user;
} rnn_allocator_t;

/* One layer of a list: rnn_config_t.layers. All elements of the list have the same struct_size. */
typedef struct rnn_layer {
  size_t struct_size;
  int32_t kind;            /* RNN_CELL_... or RNN_LAYER_... */
  int32_t size;            /* H, or the outputs of another layer: 1..65536; of a head 1..1048576 */
  int32_t activation;      /* RNN_ACTIVATION_... of a dense layer or a convolution; of a vanilla cell, h; of
                              a GRU, the new gate n; of an LSTM, the cell gate g: not softmax or PReLU; 0
                              there: tanh */
  int32_t direction;       /* RNN_DIRECTION_... of a cell; 0 for other layers */
  int32_t projection_size; /* P of an LSTM: 1..H-1; 0: no projection */
  uint32_t flags;          /* RNN_FLAG_NO_BIAS, RNN_FLAG_RESIDUAL (not of the first layer; its output is as
                              wide as its input); of a cell RNN_FLAG_LAYER_NORM and its own; 0: none */
  float alpha;             /* a and b of the activation; both 0: its defaults. 0 where it has none */
  float beta;
  int32_t kernel_size;     /* K of a convolution: 1..65536; K * its inputs at most 2^24; 0 for other layers */
  int32_t dilation;        /* of a convolution: 1..65536; (K - 1) dilation times its inputs at most 2^24; 0
                              for other layers */
  int32_t gate_activation; /* of the gates of a GRU or LSTM: as activation; 0: the sigmoid s */
  int32_t output_activation; /* of an LSTM, of c' for h: as activation; 0: tanh */
  float gate_alpha;        /* a and b of gate_activation; both 0: its defaults */
  float gate_beta;
  float output_alpha;      /* a and b of output_activation; both 0: its defaults */
  float output_beta;
  float clip;              /* of a vanilla cell, GRU or LSTM: what the activations of h and of all gates, n
                              and g too, are of is limited to -clip..clip, as by ONNX's clip; 0: it is not */
  float zoneout_h;         /* z of h of a vanilla cell, GRU or LSTM: 0..<1; 0: no zoneout. With it (Krueger et
                              al. 2017), where the cell computes h' (an LSTM from the c' that it computes),
                              the state becomes z h + (1 - z) h'. In training a random mask decides instead,
                              for each unit and step, whether h stays, with probability z, or becomes h';
                              tapes draw masks if rnn_dropout_rates_t.zoneout is 1 */
  float zoneout_c;         /* the same of c of an LSTM */
  int32_t reserved;        /* 0 */
} rnn_layer_t;

typedef struct rnn_config {
  size_t struct_size;
  int32_t cell;           /* RNN_CELL_...; default vanilla */
  int32_t input_size;     /* I: 1..1048576 */
  int32_t hidden_size;    /* H: 1..65536, of every layer and direction */
  int32_t output_size;    /* O of the linear head y = W_ho h + b_o: 1..1048576; 0: no head, y = h */
  int32_t num_layers;     /* L: 1..64; default 1 */
  int32_t init;           /* RNN_INIT_... of weight_ih, weight_hr, the head and the embedding; default
                             PyTorch's, by which an embedding that is not tied has N(0, 1) */
  int32_t recurrent_init; /* RNN_INIT_... of weight_hh, and only of cells that have it; default: as init */
  float init_range;       /* a of RNN_INIT_UNIFORM, and only with it; default 0.08 */
  uint64_t seed;          /* same seed, same weights, on every machine */
  int32_t initial_state;  /* RNN_INITIAL_... */
  int32_t compute;        /* RNN_COMPUTE_... */
  uint32_t flags;         /* RNN_FLAG_NO_BIAS + ... */
  int32_t projection_size; /* P: LSTM: h is projected to this width; 1..H-1; 0: none. Sak et al. 2014 */
  const rnn_allocator_t *allocator; /* copied; NULL: the C++ runtime's */
  int32_t embedding_size; /* E: the first layer reads a learned vector for each index; 1..65536; 0: none, and
                             indices are one-hot. Inputs must then be indices */
  float forget_bias;      /* LSTM, minLSTM: added to the forget gate's initial bias; default 0. 1 is common:
                             Jozefowicz et al. 2015 */
  int32_t skip;           /* how many inputs are added to the outputs of each step, y[i] += x[i] for i < skip:
                             0..min(I, O); default 0. An index counts as the one-hot x. Not with an embedding,
                             with pooling or with sampled_classes */
  int32_t reserved;       /* 0 */
  const rnn_layer_t *layers; /* [layer_count]  the network as a list of layers, each of which reads the output
                             of the one before; copied. cell, hidden_size, output_size, num_layers and
                             projection_size are then 0, and flags 0 or RNN_FLAG_TIED_HEAD. A dense layer
                             without activation at the end of two or more is the head. NULL: the
                             fields above say what the layers are */
  size_t layer_count;     /* 0..256 */
} rnn_config_t;

/* Create a network with initialised weights, and a stream over it in the initial state.
 *
 * config   read; fields as above
 * out      written on success; the caller destroys the handle by rnn_destroy
 * Errors   RNN_INVALID_ARGUMENT, RNN_OUT_OF_MEMORY (also when the sizes' product is too large),
 *          RNN_UNSUPPORTED (RNN_ISA names an instruction set that is not available)
 * Threads  any
 * Realtime no: allocates
 * Since    0.1 */
RNN_API rnn_status_t rnn_create(const rnn_config_t *config, rnn_t **out);

/* Make another stream over the same weights, in the same state as `rnn`, for the cost of a state and of its
 * history (rnn_history).
 * Weights that are shared are never written: who changes them gets a copy of its own.
 *
 * out      written on success; the caller destroys the handle by rnn_destroy
 * Errors   RNN_INVALID_ARGUMENT, RNN_OUT_OF_MEMORY
 * Threads  one handle, one thread at a time; the new handle is independent
 * Realtime no: allocates
 * Since    0.1 */
RNN_API rnn_status_t rnn_fork(const rnn_t *rnn, rnn_t **out);

/* Make another network: a copy of the weights and of the state.
 *
 * out      written on success; the caller destroys the handle by rnn_destroy
 * Errors   RNN_INVALID_ARGUMENT, RNN_OUT_OF_MEMORY
 * Threads  one handle, one thread at a time
 * Realtime no: allocates
 * Since    0.1 */
RNN_API rnn_status_t rnn_clone(const rnn_t *rnn, rnn_t **out);

/* Make another network: a copy of the parameters and of the state, that computes with other numbers. Its
 * outputs are about those of `rnn`; rnn_evaluate tells how near.
 *
 * compute  RNN_COMPUTE_...; that of `rnn` too
 * out      written on success; the caller destroys the handle by rnn_destroy
 * Errors   RNN_INVALID_ARGUMENT, RNN_OUT_OF_MEMORY
 * Threads  one handle, one thread at a time
 * Realtime no: allocates
 * Since    0.1 */
RNN_API rnn_status_t rnn_convert(const rnn_t *rnn, int32_t compute, rnn_t **out);

/* Let `stream` use the weights of `source` from now on, shared, and keep its own state.
 *
 * Errors   RNN_INVALID_ARGUMENT (NULL), RNN_MISMATCH (another architecture)
 * Threads  both handles are in use during the call
 * Realtime no: may release the old weights
 * Since    0.1 */
RNN_API rnn_status_t rnn_sync(rnn_t *stream, const rnn_t *source);

/* Release a stream, and the weights with their last stream. NULL is ignored.
 *
 * Errors   none
 * Threads  one handle, one thread at a time
 * Realtime no: frees memory
 * Since    0.1 */
RNN_API void rnn_destroy(rnn_t *rnn);

/* ---- Step -------------------------------------------------------------------------------------- */

/* Advance the stream by one input and write the output.
 *
 *   h_t = cell(x, h_{t-1}) layer after layer,  y = W_ho h_t + b_o
 *
 * x        [I]  read; may not be NULL, may not overlap y
 * y        [O]  written on success; NULL skips the head
 *
 * The numbers of x are not checked. An infinite one saturates the gates of the vanilla cell (but with an
 * activation without bounds), the GRU and the LSTM, whatever the network computes with, and the stream goes
 * on; a NaN makes outputs and states NaN until rnn_reset or rnn_set_state.
 *
 * Errors   RNN_INVALID_ARGUMENT (also when the network has a reverse direction, or an embedding)
 * Threads  one handle, one thread at a time
 * Realtime yes: no allocation, lock, system call or exception, and unless it fails no thread-local
 *          storage; the time does not depend on the data
 * Since    0.1 */
RNN_API rnn_status_t rnn_step(rnn_t *rnn, const float *x, float *y);

/* The same with a one-hot input, given as the index of its 1.
 *
 * index    0..I-1
 * y        [O]  written on success; NULL skips the head
 * Errors   RNN_INVALID_ARGUMENT
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_step_index(rnn_t *rnn, int32_t index, float *y);

/* Advance the stream by a block of inputs in one call, as audio hosts and decoders have them. Gives the same
 * bits as rnn_step of each in turn, and takes no more time. It takes less where there is room for the block
 * (rnn_reserve_block) and layers are large enough for products of many rows: of an LSTM 65-128-65 0.8 of the
 * time, of 128-256-128 0.6. A block longer than the room is taken in parts; without room, or with
 * a delay (rnn_set_delay), step by step.
 *
 * x        [steps, I]  read; may not overlap y
 * steps    0 does nothing
 * y        [steps, O]  written on success; NULL skips the head
 * Errors   RNN_INVALID_ARGUMENT (also when the network has a reverse direction, or an embedding)
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_step_block(rnn_t *rnn, const float *x, size_t steps, float *y);

/* The same with one-hot inputs.
 *
 * indices  [steps]     each 0..I-1
 * Errors   RNN_INVALID_ARGUMENT
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_step_block_index(rnn_t *rnn, const int32_t *indices, size_t steps, float *y);

/* Make room for blocks of up to `steps` steps. The room is this handle's, for good: it stays when weights
 * change, and another call only adds to it; forks, clones, converted networks and files have none of it. It
 * has some floats for each unit of the widest layer and for each step, of which it has 64 at most, since more
 * gain nothing; a network that is as fast step by step takes none.
 *
 * Errors   RNN_INVALID_ARGUMENT (NULL), RNN_OUT_OF_MEMORY
 * Threads  one handle, one thread at a time
 * Realtime no: allocates
 * Since    0.1 */
RNN_API rnn_status_t rnn_reserve_block(rnn_t *rnn, size_t steps);

/* Advance `count` different streams that share weights by one input each; any set at each call. Gives
 * each the same bits as rnn_step alone.
 *
 * streams  [count]     all over the same weights (forks of one network, or synchronised), no two the same
 * x        [count, I]  read
 * y        [count, O]  written on success; NULL skips the head
 * Errors   RNN_INVALID_ARGUMENT, RNN_MISMATCH (the streams do not share weights)
 * Threads  all the handles are in use during the call
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_step_many(rnn_t *const *streams, size_t count, const float *x, float *y);

/* The same with one-hot inputs.
 *
 * indices  [count]     each 0..I-1
 * Errors   RNN_INVALID_ARGUMENT, RNN_MISMATCH (the streams do not share weights)
 * Threads  all the handles are in use during the call
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_step_many_index(rnn_t *const *streams, size_t count, const int32_t *indices,
                                         float *y);

/* ---- State ------------------------------------------------------------------------------------- */

/* The number S of floats in a state: h of each layer and direction, [L, D, P], and behind them c of each,
 * [L, D, H], if the cell is an LSTM. Of a list of layers: of each in turn, h of a cell, or the last
 * (K - 1) dilation inputs of a convolution, [(K - 1) dilation, X], the oldest first; behind them c of each
 * LSTM.
 *
 * size     written on success
 * Errors   RNN_INVALID_ARGUMENT
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_state_size(const rnn_t *rnn, size_t *size);

/* Return the stream to its initial state.
 *
 * Errors   RNN_INVALID_ARGUMENT
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_reset(rnn_t *rnn);

/* Copy the state out.
 *
 * state    [count]  written on success
 * count    S
 * Errors   RNN_INVALID_ARGUMENT (NULL), RNN_MISMATCH (count is not S)
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_get_state(const rnn_t *rnn, float *state, size_t count);

/* Copy a state in.
 *
 * state    [count]  read; finite
 * count    S
 * Errors   RNN_INVALID_ARGUMENT (NULL, or a value that is not finite), RNN_MISMATCH (count is not S)
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_set_state(rnn_t *rnn, const float *state, size_t count);

/* Let each step of this stream read the state of `delay` steps ago instead of the last one, so that a
 * network that was trained at one sample rate runs at a higher one: delay is the rate now divided by that
 * in training.
 *
 *   n = floor(delay), a = delay - n
 *   s_t = step(x_t, s_{t-n} + a (s_{t-n-1} - s_{t-n}))     s: h, and c of an LSTM, of all layers
 *
 * Tap k of a convolution reads its input of (K - 1 - k) dilation delay steps ago, between two likewise.
 * See J. Chowdhury, "Sample-Rate Agnostic Recurrent Neural Networks", 2022. How near this comes to the
 * network at its own rate: A. Carson et al., "Sample Rate Independent Recurrent Neural Networks for Audio
 * Effects Processing", DAFx 2024.
 *
 * A delay of 1, the default, gives the same bits in the same time as if there were none. Others are read by
 * all that steps: rnn_step, rnn_step_many (each stream has its own), rnn_rollout, rnn_generate, and
 * rnn_step_block and rnn_forward, which take the time of single steps; the latter refuses pooling. Training,
 * evaluation, tapes and files leave it out.
 *
 * The present state becomes the whole past, as does a state given to rnn_set_state, or by rnn_reset the
 * initial one. rnn_get_state writes the last state alone: of a convolution its last inputs, `delay` steps
 * apart. Of a delay between 1 and 2 some are between two inputs, and not quite what rnn_set_state was given.
 * rnn_fork, rnn_clone and rnn_convert copy delay and past; rnn_sync leaves both to the stream.
 *
 * delay    1..4096
 * Errors   RNN_INVALID_ARGUMENT (also when the network has a reverse direction), RNN_OUT_OF_MEMORY
 * Threads  one handle, one thread at a time
 * Realtime no: allocates room for so many states; what is real-time stays so
 * Since    0.1 */
RNN_API rnn_status_t rnn_set_delay(rnn_t *rnn, float delay);

/* The delay that rnn_set_delay gave; 1 if it gave none.
 *
 * delay    written on success
 * Errors   RNN_INVALID_ARGUMENT
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_get_delay(const rnn_t *rnn, float *delay);

/* Let this stream keep the states before its last `steps` steps, so that rnn_rewind can take these back: for
 * speculative decoding, search, and hosts that predict what arrives late.
 *
 * A step then copies S floats more, and gives the same bits. Every step of the stream is kept, whichever
 * function makes it: rnn_step, rnn_step_block, rnn_step_many (each stream has its own history), rnn_rollout,
 * rnn_generate (those of its prompt, too) and rnn_forward with stateful, which with pooling takes longer by
 * the time of the steps. rnn_forward without stateful, training and evaluation make no steps of the stream.
 * Steps before a rnn_reset, rnn_set_state or rnn_set_delay cannot be taken back, nor those before a reset in
 * the sequence of rnn_forward: another past begins there. rnn_fork, rnn_clone and rnn_convert copy the
 * history, and then each handle has its own; rnn_sync, and whatever else changes weights, leaves it; files
 * have none.
 *
 * steps    how many; 0, the default: none, and the memory is released. What is kept stays, as far as it has
 *          room; neither the state nor a delay's past changes
 * Errors   RNN_INVALID_ARGUMENT (also when the network has a reverse direction), RNN_OUT_OF_MEMORY
 * Threads  one handle, one thread at a time
 * Realtime no: allocates room for `steps` states, and inputs of each convolution; what is real-time stays so
 * Since    0.1 */
RNN_API rnn_status_t rnn_history(rnn_t *rnn, size_t steps);

/* Take the last `steps` steps of the stream back: it goes on from the state before them as if they had not
 * been, to the same bits. What is taken back is no longer in the history; the steps before it still are.
 * Takes the time of a copy of S floats, whatever `steps` is.
 *
 * steps    0..those that are kept, at most those of rnn_history; 0 does nothing
 * Errors   RNN_INVALID_ARGUMENT (NULL, or more steps than are kept)
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_rewind(rnn_t *rnn, size_t steps);

/* ---- Parameters -------------------------------------------------------------------------------- */

/* Parameters have PyTorch's names and shapes: weight_ih_l0 [G H, I or E], weight_hh_l0 [G H, P],
 * bias_ih_l0 [G H], and so on for _l0_reverse, _l1 (whose weight_ih is [G H, D P]), ...; head.weight
 * [O, D P], head.bias [O]. There is one bias per gate (PyTorch's second is redundant), but for GRU's n, whose
 * b_hn is bias_hn_l0 [H]. With options: embedding.weight [I, E]; weight_hr_l0 [P, H]; the gains of layer
 * normalisation, norm_ih_l0 and norm_hh_l0 [G H]; initial states, initial_h_l0 [P] and initial_c_l0 [H];
 * peepholes, peephole_i_l0, peephole_f_l0 (not with RNN_FLAG_COUPLED_GATES) and peephole_o_l0 [H].
 * minGRU and minLSTM have no weight_hh. Of a list of layers the names are layers.0.weight_ih,
 * layers.0.weight_ih_reverse, layers.1.initial_h, ..., and of a dense layer with X inputs layers.2.weight
 * [size, X], layers.2.bias [size] and, with RNN_ACTIVATION_PRELU, layers.2.slope [size], which begins at
 * 0.25; of a convolution layers.3.weight [size, K X], W_0 first. Initialised by default, W and b of both have
 * U(-1/sqrt(n), 1/sqrt(n)), where n is the number of columns of W. */
typedef struct rnn_parameter {
  size_t struct_size;
  const char *name; /* lives as long as a handle over the same weights */
  size_t rows;
  size_t columns; /* 1 for a vector */
} rnn_parameter_t;

/* The number of parameter tensors.
 *
 * count    written on success
 * Errors   RNN_INVALID_ARGUMENT
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_parameter_count(const rnn_t *rnn, size_t *count);

/* Describe one parameter tensor.
 *
 * index    0..count-1
 * out      its struct_size is read, the rest written on success
 * Errors   RNN_INVALID_ARGUMENT
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_parameter_info(const rnn_t *rnn, size_t index, rnn_parameter_t *out);

/* Copy a parameter out, row-major.
 *
 * values   [count]  written on success
 * count    rows * columns
 * Errors   RNN_INVALID_ARGUMENT (NULL, or a wrong count), RNN_NOT_FOUND
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_get_parameter(const rnn_t *rnn, const char *name, float *values, size_t count);

/* Copy a parameter in. If the weights are shared, this handle first gets a copy of its own.
 *
 * values   [count]  read; finite
 * count    rows * columns
 * Errors   RNN_INVALID_ARGUMENT (NULL, a wrong count, a value that is not finite), RNN_NOT_FOUND,
 *          RNN_OUT_OF_MEMORY
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_set_parameter(rnn_t *rnn, const char *name, const float *values, size_t count);

/* ---- Sequences --------------------------------------------------------------------------------- */

/* N ragged sequences, their steps one after the other without padding. */
typedef struct rnn_sequences {
  size_t struct_size;
  size_t count;           /* N >= 1 */
  size_t frames;          /* F, the sum of lengths */
  const size_t *lengths;  /* [N]     each >= 1 */
  const float *inputs;    /* [F, I]  either these */
  const int32_t *indices; /* [F]     or one-hot inputs, each 0..I-1 */
  const float *targets;   /* [M, O]  for squared error and binary cross-entropy */
  const int32_t *classes; /* [M]     for cross-entropy, each 0..O-1 */
  const float *weights;   /* [M]     of the target steps, >= 0, 0 masks; NULL: all 1 */
  const uint8_t *resets;  /* [F]     1: before this step the state returns to its initial value and no
                                     gradient crosses; NULL: nowhere */
  int32_t pooling; /* 0: a target for each step, M = F; RNN_POOLING_...: for each sequence, M = N */
  int32_t reserved;            /* 0 */
} rnn_sequences_t;

typedef struct rnn_forward_options {
  size_t struct_size;
  int32_t pooling;   /* RNN_POOLING_...: write one output for each sequence */
  int32_t stateful;  /* 1: N is 1; start from the stream's state and advance it, as rnn_step does */
  const float *initial_states; /* [N, S]  finite; NULL: the initial state (not with stateful) */
  float *final_states;         /* [N, S]  written if not NULL */
  float *states;               /* [F, S]  the state after every step, written if not NULL */
} rnn_forward_options_t;

/* Run whole sequences. Unless options say stateful, the stream's own state is neither read nor changed:
 * each sequence starts from its initial state. Gives the same bits as stepping.
 *
 * in       read; targets and weights are ignored
 * options  NULL: all defaults
 * outputs  [F, O], or [N, O] with pooling; written on success; NULL skips the dense layers at the end
 * Errors   RNN_INVALID_ARGUMENT, RNN_OUT_OF_MEMORY
 * Threads  one handle, one thread at a time; runs on the calling thread
 * Realtime no: allocates
 * Since    0.1 */
RNN_API rnn_status_t rnn_forward(rnn_t *rnn, const rnn_sequences_t *in,
                                 const rnn_forward_options_t *options, float *outputs);

/* ---- Generate ---------------------------------------------------------------------------------- */

typedef struct rnn_generate_options {
  size_t struct_size;
  const int32_t *prompt; /* [prompt_count]  read before the first output is drawn */
  size_t prompt_count;   /* >= 1 */
  float temperature;     /* logits are divided by it; > 0; default 1 */
  float top_p;           /* of those that top_k keeps, keep the most probable classes whose sum reaches
                            this part of theirs; 0..1; default 1 */
  int32_t top_k;         /* keep the k most probable classes; default all */
  int32_t greedy;        /* 1: always the most probable class (the lowest index among equals), whatever
                            temperature, top_p, top_k and seed are */
  uint64_t seed;         /* same seed, same draws */
  int32_t stop;          /* 1: end after stop_index was drawn */
  int32_t stop_index;
} rnn_generate_options_t;

/* Read the prompt, then draw indices from softmax(y / temperature), each fed back as the next input.
 * The last drawn index is not fed: to continue, give it as the next prompt.
 *
 * out      [capacity]  the drawn indices, without the prompt
 * capacity how many to draw at most
 * written  how many were drawn; fewer than capacity only after stop_index
 * Errors   RNN_INVALID_ARGUMENT (also when O is not I), RNN_NOT_FINITE (the logits are not),
 *          RNN_OUT_OF_MEMORY
 * Threads  one handle, one thread at a time
 * Realtime no: allocates
 * Since    0.1 */
RNN_API rnn_status_t rnn_generate(rnn_t *rnn, const rnn_generate_options_t *options, int32_t *out,
                                  size_t capacity, size_t *written);

/* Run `steps` steps of which each reads the output of the one before: y_1 from x, then x_{t+1} = y_t.
 *
 * x        [I]         the first input
 * y        [steps, O]  written on success
 * Errors   RNN_INVALID_ARGUMENT (also when O is not I)
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_rollout(rnn_t *rnn, const float *x, size_t steps, float *y);

/* ---- Train ------------------------------------------------------------------------------------- */

enum { /* rnn_train_options_t.loss; each a mean over the target steps, weighted by their weights */
  RNN_LOSS_CROSS_ENTROPY = 1, /* softmax and -log p[class], nats; default when classes are given */
  RNN_LOSS_SQUARED_ERROR = 2, /* mean over outputs of (y - target)^2; default when targets are given */
  RNN_LOSS_BINARY_CROSS_ENTROPY = 3 /* mean over outputs, of logits, targets 0..1, nats */
};

enum { /* rnn_train_options_t.optimizer */
  RNN_OPTIMIZER_ADAM = 1,    /* default; Kingma & Ba 2015; weight_decay is added to the gradient */
  RNN_OPTIMIZER_ADAMW = 2,   /* Loshchilov & Hutter 2019; weight_decay is decoupled */
  RNN_OPTIMIZER_SGD = 3,     /* with momentum and nesterov as set */
  RNN_OPTIMIZER_ADAGRAD = 4, /* Duchi, Hazan & Singer 2011 */
  RNN_OPTIMIZER_RMSPROP = 5  /* Tieleman & Hinton 2012; with momentum as set */
};

enum { /* rnn_train_options_t.schedule: the factor on learning_rate at update u = 0, 1, ... of the schedule */
  RNN_SCHEDULE_CONSTANT = 0,    /* 1 */
  RNN_SCHEDULE_STEP = 1,        /* schedule_factor ^ floor(u / schedule_updates) */
  RNN_SCHEDULE_EXPONENTIAL = 2, /* schedule_factor ^ (u / schedule_updates) */
  RNN_SCHEDULE_COSINE = 3       /* from 1 to schedule_factor in schedule_updates updates, then constant;
                                   Loshchilov & Hutter 2017, without restarts */
};

enum { /* rnn_progress_t.event */
  RNN_EVENT_UPDATE = 1,
  RNN_EVENT_VALIDATION = 2
};

typedef struct rnn_progress {
  size_t struct_size;
  int32_t event;            /* RNN_EVENT_... */
  int32_t epoch;            /* 0, 1, ...: the pass over the data to which the update belongs */
  uint64_t update;          /* updates done so far */
  uint64_t total_updates;   /* that the run will do; 0 if it is not a run, or too long to tell */
  double loss;              /* of this update's batch, before the update */
  double validation_loss;   /* the latest; NaN before the first */
  double gradient_norm;     /* before clipping */
  double learning_rate;     /* of this update */
  double steps_per_second;  /* time steps trained on per second, of this update */
  uint64_t skipped_updates; /* so far; see rnn_train_options_t.skip_not_finite */
} rnn_progress_t;

/* Called between updates, on the thread of the call that trains and in its floating-point mode. Returns 0 to
 * go on, anything else to stop the run, which is not an error. It may not use the trainer or network in
 * training, except rnn_trainer_save, rnn_trainer_network, rnn_trainer_sync, rnn_trainer_set_learning_rate and
 * rnn_trainer_log on the trainer. */
typedef int32_t (*rnn_progress_function_t)(const rnn_progress_t *progress, void *user);

/* Settings for the parameters whose name fits a pattern.
 * Two biases: PyTorch trains bias_ih and bias_hh where here is their sum (but for GRU's n, which has both
 * here). Each has the gradient of the sum, so that the sum moves twice as far. With two_biases it does so
 * here: what the rule makes of the gradient counts twice, weight decay once; gradient_norm and clip_norm
 * count the gradient twice. This is PyTorch's training with SGD and AdamW, and with the other rules if there
 * is no weight decay or the two were equal at first. For the vanilla cell and the LSTM, without weight decay
 * and clip_norm, a group "bias_ih_*" with a learning_rate_factor of 2 is the same. */
typedef struct rnn_parameter_group {
  size_t struct_size;         /* the same in each element of an array */
  const char *pattern;        /* "bias_*", "*_l0", "head.weight": * stands for any characters, ? for one */
  float learning_rate_factor; /* > 0; default 1 */
  int32_t frozen;             /* 1: not trained; the other fields are 0 then */
  int32_t no_weight_decay;    /* 1: weight_decay does not hold */
  int32_t two_biases;         /* 1: bias_ih_* (layers.*.bias_ih) learn as sums of two, see above; but b_n of
                                 GRU without RNN_FLAG_RESET_BEFORE, which is none, and those of cells and
                                 layers without weight_hh */
} rnn_parameter_group_t;

/* ---- Lanes and ranks: training on several processes and machines ---------------------------------- */

/* options.lanes cuts the sequences of each update into lanes: sequence n of the data (or of the batch of
 * rnn_trainer_update) is in lane n modulo lanes. The gradients of a lane are those that one process computes
 * from its sequences; gradients and losses of the lanes are added in a binary tree. Lanes share their work
 * among threads, and among processes, called ranks: rank r has the lanes r * lanes / ranks (rounded down) to
 * (r + 1) * lanes / ranks - 1. The weights have the same bits for every number of threads and ranks, and a
 * job may go on with another number of ranks. They depend on the number of lanes.
 * The data are shuffled within each lane; what is drawn at random for a sequence depends on its number, not
 * on its place in a batch. */

/* Say which lane a sequence is in: sequence modulo lanes.
 *
 * Returns  0..lanes - 1; -1 if lanes is not a power of two, 1..1024
 * Errors   none
 * Threads  any
 * Realtime yes
 * Since    0.1 */
RNN_API int32_t rnn_lane_of(uint64_t sequence, int32_t lanes);

/* Say which of `ranks` ranks has a lane.
 *
 * Returns  0..ranks - 1; -1 if lanes is not a power of two, 1..1024, lane not 0..lanes - 1, or ranks not
 *          1..lanes
 * Errors   none
 * Threads  any
 * Realtime yes
 * Since    0.1 */
RNN_API int32_t rnn_rank_of(int32_t lane, int32_t lanes, int32_t ranks);

/* How the ranks of a job exchange data: two functions of the host, which move bytes. All ranks make the same
 * calls in the same order, each of them on the thread of the call that trains. rnn/mpi.h has them for MPI.
 * Both return 0 when this rank has sent and received everything, and anything else when that is impossible;
 * the calls of the other ranks have to fail then, too, at the latest after a time-out of the host's. The call
 * that trains returns RNN_UNAVAILABLE, with the weights of the last update that was done. */
typedef struct rnn_collective {
  size_t struct_size;
  int32_t rank;  /* 0..ranks - 1: this process */
  int32_t ranks; /* 1..lanes; with 1 nothing is called */
  void *user;    /* passed to both functions */
  /* Each rank sends other bytes to each: `send` holds send_sizes[0] bytes for rank 0, after them
     send_sizes[1] bytes for rank 1, ... ; `receive` gets receive_sizes[0] bytes from rank 0, after them ... .
     This rank is one of them. Both arrays have `ranks` sizes, any of which may be 0; what a rank receives
     from another is as much as that one sends to it. As MPI_Alltoallv. */
  int32_t (*exchange)(const void *send, const size_t *send_sizes, void *receive, const size_t *receive_sizes,
                      void *user);
  /* Each rank sends the same bytes to all: receive_sizes[rank] bytes at `send`; `receive` gets the bytes of
     rank 0, after them those of rank 1, ... . As MPI_Allgatherv. */
  int32_t (*gather)(const void *send, void *receive, const size_t *receive_sizes, void *user);
  int32_t own_sequences; /* 1: the data that a rank gives, also for validation and evaluation, are the
                            sequences of its lanes alone, in their order; 0: all ranks give all sequences */
} rnn_collective_t;

/* A field that can have no effect beside the others is refused: momentum with Adam, dropout with one layer,
 * output_dropout without a head, patience without validation, ... . */
typedef struct rnn_train_options {
  size_t struct_size;
  int32_t loss;      /* RNN_LOSS_... */
  int32_t optimizer; /* RNN_OPTIMIZER_ADAM, ... */
  float learning_rate; /* default 0.001; 0.01 for SGD and Adagrad */
  float momentum;      /* 0..<1; SGD and RMSprop alone; default 0 */
  float beta1;         /* Adam and AdamW alone: default 0.9 */
  float beta2;         /* Adam and AdamW: default 0.999; RMSprop's smoothing constant: default 0.99 */
  float epsilon;       /* default 1e-8; Adagrad 1e-10; not SGD */
  float weight_decay;  /* default 0 */
  int32_t nesterov;    /* 1: Nesterov's momentum (SGD) */
  float clip_norm;     /* the gradient's norm is scaled down to this; 0: off */
  float clip_value;    /* each element is limited to +- this, after clip_norm; 0: off */
  int32_t schedule;         /* RNN_SCHEDULE_... */
  float schedule_factor;    /* default 0.1; cosine: 0 is 0; not for a constant schedule */
  int32_t schedule_updates; /* required by every schedule but constant, which has none */
  int32_t warmup_updates;   /* the rate rises linearly over the first so many updates; default 0 */
  int32_t epochs;           /* passes over the data; default 1 */
  int32_t batch_size;       /* sequences per update; default 32 */
  int32_t window;           /* truncated BPTT: steps per update; default 0: whole sequences */
  int32_t stateless_windows;    /* 1: each window (or batch of rnn_trainer_update) starts from the initial
                               state; default 0: from the state in which the one before it ended */
  int32_t keep_order;       /* 1: sequences in the given order; default 0: shuffled in each epoch */
  uint64_t seed;            /* of the shuffling, dropout, scheduled sampling and sampled classes */
  int32_t threads;          /* 1..1024; default 0: all that the caller's oneTBB arena allows */
  int32_t validate_every;   /* updates between validations; default 0: at the end of each epoch */
  int32_t patience;         /* stop after so many validations without a better loss; default 0: never. As
                               validate_every and restore_best, not without validation */
  int32_t report_every;     /* updates between two RNN_EVENT_UPDATE; default 1 */
  const rnn_sequences_t *validation; /* NULL: none; kept by a trainer, with what it points to */
  rnn_progress_function_t progress;  /* NULL: none */
  void *user;                        /* passed to progress */
  float dropout;        /* of each layer's output, or what is pooled of it, on its way to the next layer; 0
                           with one layer; 0..<1; what is kept is scaled by 1 / (1 - dropout); Srivastava et
                           al. 2014 */
  float scheduled_sampling;   /* 0..1: how often a step's input is the network's own last output (its most
                           probable class, or the vector) instead of the data's; no gradient flows through it,
                           and a window's first step reads the data's (the window may not be 1). 0 is teacher
                           forcing; scheduled sampling: Bengio et al. 2015. Needs O = I */
  float average;        /* 0..<1: decay d of a moving average a of the weights w, a += (1 - d') (w - a) after
                           each update, d' = min(d, (1 + update) / (10 + update)). Validated, saved and handed
                           out instead of w; 0: off */
  int32_t accumulate;   /* batches (windows) whose gradients make one update, as if one; default 1 */
  int32_t restore_best; /* 1: at its end a run returns to the weights of its best validation */
  int32_t group_count;
  const rnn_parameter_group_t *groups; /* [group_count]  the first whose pattern fits a parameter holds for
                                          it; copied */
  const float *class_weights; /* [O]  c of cross-entropy: the weight of a target of class k is multiplied by
                                 c[k]; >= 0; NULL: all 1; copied */
  float label_smoothing; /* e of cross-entropy, 0..<1: a target of class k has the loss
                            (1 - e) c[k] (-log p[k]) + e / O sum over j of c[j] (-log p[j]), as in PyTorch.
                            Szegedy et al. 2016 */
  int32_t sampled_classes; /* k, for thousands of classes and more: cross-entropy is over the target and k
                              other classes, 1..O/2, drawn anew for each update; default 0: over all. Class c
                              is drawn by the probability log((c + 2) / (c + 1)) / log(O + 1) until there are
                              k different ones: number classes by falling frequency. Logits are corrected by
                              -log of how likely a class is drawn, so that the probabilities over all classes
                              are learnt. The loss that is reported is that of the sample; validation is over
                              all classes. Not with label_smoothing. 1000 of 50,000: 17 times as fast. Jean et
                              al. 2015 */
  int32_t schedule_start;    /* updates at a factor of 1 before the schedule begins and counts u from 0: as
                                many as warmup_updates let it begin after the warm-up; default 0 */
  int32_t schedule_by_epoch; /* 1: u, schedule_start and schedule_updates count a run's epochs, not updates */
  int32_t skip_not_finite;   /* so many updates in a row of which the loss, the gradient or a carried state is
                                not finite are skipped and counted; sequences with such a state go on from the
                                initial state. One more is RNN_NOT_FINITE; default 0: the first is */
  float output_dropout; /* of what the head reads, as `dropout` is of what layers read; 0 without a head;
                           0..<1. With pooling, once for each sequence */
  float recurrent_dropout; /* of h as W_hh multiplies it (with RNN_FLAG_RESET_BEFORE also of r * h; never of
                              z * h), 0..<1: for each sequence, layer and direction the same units at all its
                              steps, also in windows and batches that go on from its state; others in each
                              epoch. What is kept is scaled by 1 / (1 - recurrent_dropout). 0 without
                              weight_hh; Gal & Ghahramani 2016 */
  int32_t lanes; /* a power of two, 1..1024, at most batch_size: see above; default 1 */
  const rnn_collective_t *collective; /* NULL: one process; copied. All ranks have the same weights, the same
                                         other options but `threads`, and, whether they report or not, a
                                         progress function or none; a run stops on all ranks once that of
                                         one rank stops it */
} rnn_train_options_t;

/* Train the network for options.epochs passes over the data, by minibatch backpropagation through time.
 * The result has the same bits for every number of threads, and on every CPU (but for RNN_COMPUTE_BF16_FAST).
 * The stream's state does not change. If the weights are shared, this handle gets its own.
 *
 * data     read
 * options  NULL: all defaults
 * Errors   RNN_INVALID_ARGUMENT (also when an input or a target is not finite; the message says which),
 *          RNN_NOT_FINITE (a loss, gradient or validation loss; the weights are those before the failing
 *          update, with restore_best those of the best validation), RNN_OUT_OF_MEMORY,
 *          RNN_UNSUPPORTED (built without training); with a collective also RNN_UNAVAILABLE and
 *          RNN_MISMATCH (ranks that do not agree), and on all ranks what fails on one of them
 * Threads  one handle, one thread at a time; works on up to options.threads oneTBB threads
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_train(rnn_t *rnn, const rnn_sequences_t *data,
                               const rnn_train_options_t *options);

typedef struct rnn_evaluation {
  size_t struct_size;
  double loss;     /* the weighted mean over the target steps; NaN if their weights are all 0 */
  double weight;   /* the sum of the target steps' weights, with those of their classes */
  double accuracy; /* cross-entropy: weighted fraction of steps whose largest output is the class;
                      otherwise NaN */
} rnn_evaluation_t;

/* Compute the loss over sequences without training. The stream's state is neither read nor changed.
 *
 * data     read
 * options  its loss, label_smoothing, class_weights, threads, lanes and collective are used; NULL: defaults
 * out      its struct_size is read, the rest written on success
 * Errors   RNN_INVALID_ARGUMENT, RNN_OUT_OF_MEMORY, RNN_UNSUPPORTED (built without training); with a
 *          collective as rnn_train
 * Threads  one handle, one thread at a time; works on up to options.threads oneTBB threads
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_evaluate(const rnn_t *rnn, const rnn_sequences_t *data,
                                  const rnn_train_options_t *options, rnn_evaluation_t *out);

/* ---- Trainer: one update at a time, stop and resume ---------------------------------------------- */

/* Weights in training with their optimiser's state and the position in the data.
 * With options.collective, each rank has a trainer; all ranks make the calls that create it, do updates, save
 * and load. On each, these may also fail as rnn_train does with a collective. */
typedef struct rnn_trainer_handle rnn_trainer_t;

/* Create a trainer that starts from the network's weights. The network itself does not change; see
 * rnn_trainer_sync.
 *
 * options  NULL: all defaults; options.validation, progress and user are kept, the rest is copied
 * out      written on success; the caller destroys the handle by rnn_trainer_destroy
 * Errors   RNN_INVALID_ARGUMENT, RNN_OUT_OF_MEMORY, RNN_UNSUPPORTED (built without training)
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_trainer_create(const rnn_t *rnn, const rnn_train_options_t *options,
                                        rnn_trainer_t **out);

/* Do one update from all the sequences given, whole (options' epochs, batch_size, window, shuffling,
 * validation and progress are not used). Unless options.stateless_windows is set, a batch of as many
 * sequences as the one before continues from the states in which those ended; rnn_trainer_reset starts
 * anew. A batch whose target weights are all 0 advances the states only.
 *
 * batch    read
 * progress NULL, or its struct_size is read and the rest written on success
 * Errors   RNN_INVALID_ARGUMENT (also when an input or a target is not finite), RNN_NOT_FINITE (nothing
 *          changed), RNN_OUT_OF_MEMORY
 * Threads  one handle, one thread at a time; works on up to options.threads oneTBB threads
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_trainer_update(rnn_trainer_t *trainer, const rnn_sequences_t *batch,
                                        rnn_progress_t *progress);

/* Forget the states carried over by rnn_trainer_update.
 *
 * Errors   RNN_INVALID_ARGUMENT
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_trainer_reset(rnn_trainer_t *trainer);

/* Replace options.learning_rate in the updates to come; the factors of the schedule, the warm-up and groups
 * still apply. The rate is kept in checkpoints. The progress function may call this.
 *
 * rate     finite and > 0
 * Errors   RNN_INVALID_ARGUMENT
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_trainer_set_learning_rate(rnn_trainer_t *trainer, float rate);

/* Go on with the whole job, as rnn_train does it, from where the trainer stands until options.epochs
 * are done, validation finds no progress, or the progress function stops it. After a failure the trainer
 * stands after the last update that was done.
 *
 * data     read; the same at each call for one trainer
 * Errors   as rnn_train; RNN_MISMATCH (the trainer stands in the middle of other data)
 * Threads  one handle, one thread at a time; works on up to options.threads oneTBB threads
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_trainer_run(rnn_trainer_t *trainer, const rnn_sequences_t *data);

/* Make a new stream over the trainer's present weights (their average with options.average), in the initial
 * state, for use by another thread or as the source of rnn_sync.
 *
 * out      written on success; the caller destroys the handle by rnn_destroy
 * Errors   RNN_INVALID_ARGUMENT, RNN_OUT_OF_MEMORY
 * Threads  one handle, one thread at a time; the new handle is independent
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_trainer_network(const rnn_trainer_t *trainer, rnn_t **out);

/* Let `stream` use the trainer's present weights (their average with options.average); its state stays.
 *
 * Errors   RNN_INVALID_ARGUMENT, RNN_MISMATCH (another architecture)
 * Threads  both handles are in use during the call
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_trainer_sync(const rnn_trainer_t *trainer, rnn_t *stream);

/* Save all that a resumed run needs for the same bits as one that was never stopped: weights, optimiser,
 * random stream, position in the data, carried states. Atomic, as rnn_save. rnn_load reads the network in the
 * file. Of several ranks rank 0 writes the file.
 *
 * path     UTF-8; that of rank 0 counts
 * Errors   RNN_INVALID_ARGUMENT, RNN_FILE_ERROR, RNN_OUT_OF_MEMORY, RNN_UNSUPPORTED (built without formats)
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_trainer_save(const rnn_trainer_t *trainer, const char *path);

/* Load what rnn_trainer_save saved, into a trainer of the same architecture and options, with any number of
 * threads and ranks. Of several ranks rank 0 reads the file.
 *
 * path     UTF-8; that of rank 0 counts
 * Errors   RNN_INVALID_ARGUMENT, RNN_FILE_ERROR, RNN_BAD_FORMAT (also the file of a network), RNN_MISMATCH
 *          (another architecture, optimizer, batch size, window or lanes, or without the average or the best
 *          weights that the options ask for), RNN_OUT_OF_MEMORY, RNN_UNSUPPORTED (another library's file, or
 *          built without formats)
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_trainer_load(rnn_trainer_t *trainer, const char *path);

/* Say how many bytes the optimiser's state takes on this rank: of several ranks each has the part of a range
 * of the weights.
 *
 * out      written on success
 * Errors   RNN_INVALID_ARGUMENT, RNN_UNSUPPORTED (built without training)
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_trainer_optimizer_bytes(const rnn_trainer_t *trainer, size_t *out);

enum { /* the parts of a record in a log */
  RNN_LOG_OPTIONS = 1,   /* what is trained, and how */
  RNN_LOG_DATA = 2,      /* what the updates since the record before have read */
  RNN_LOG_WEIGHTS = 3,   /* in training, and their average */
  RNN_LOG_OPTIMIZER = 4, /* its state */
  RNN_LOG_STATES = 5     /* position in the data, random stream, carried states */
};

/* A log of a trainer, as bytes that the host hashes. The same training has the same bytes on every CPU and
 * for every number of threads. So who repeats some updates, from a checkpoint and with the same data, can
 * compare, and the first part that differs tells what was changed.
 * The bytes of a part are all that write was given for it since the record before, in any pieces. Numbers are
 * little-endian: i32, u32 and u64 integers, f32 and f64 floats. Matrices are row-major, without padding.
 *
 * OPTIONS   u32 1, the version of this layout. Of the network, as rnn_get_config gives it, i32 cell,
 *           input_size, hidden_size, output_size, num_layers, initial_state, compute; u32 flags; i32
 *           projection_size, embedding_size, skip; u64 layer_count, and for each layer all fields in their
 *           order from kind to zoneout_c. Of rnn_train_options_t, with the defaults of all but loss, used or
 *           not, all fields in their order from loss to lanes, but not pointers and what changes no update:
 *           epochs, threads, validate_every, patience, report_every, restore_best. Groups are their
 *           u64 number, and of each the pattern, as u64 length and bytes, f32 learning_rate_factor, i32
 *           frozen, no_weight_decay, two_biases; class_weights are their u64 number and f32 each
 * DATA      for each update, also of those that are skipped or have no target: f64 the rate that
 *           rnn_trainer_set_learning_rate has set, or 0; u64 the number of pieces of sequences. With pieces:
 *           u32 1 (indices) + 2 (weights) + 4 (resets), i32 pooling, i32 loss, not 0; for each piece u64 the
 *           number of its sequence, u64 its steps; for all of these f32 [I], or i32 the index; for all, with
 *           resets, one byte; then its targets, one for each step, or with pooling one where the sequence
 *           ends: for all i32 the class, or f32 [O]; for all, with weights, f32. Without pieces, of
 *           rnn_trainer_apply: the gradients, as WEIGHTS
 * WEIGHTS   f32, each parameter in the order of rnn_parameter_info; with options.average then their average
 * OPTIMIZER f32, each of its moments as WEIGHTS: none, one or two
 * STATES    u64 updates, epoch, position in the epoch's order of the batch in work, its next step, 4 words of
 *           the random stream, skipped updates, those in a row, the update with which carried states begin,
 *           the number of sequences in the order; u64 each of these; u64 the number of carried values; f32
 *           each of these
 *
 * Both functions are called on the thread of the call that trains, after the update and before the progress
 * function, and may not use the trainer. A host that cannot write its log stops the run by that function. */
typedef struct rnn_log {
  size_t struct_size;
  uint64_t every; /* a record after each update that is a multiple of it; 0: those of rnn_trainer_log alone */
  void (*write)(int32_t part, const void *bytes, size_t size, void *user); /* part: RNN_LOG_... */
  void (*record)(uint64_t update, void *user); /* a record is complete, of the state after so many updates */
  void *user;                                  /* passed to both */
} rnn_log_t;

/* Log the updates from now on, and write a record of the state as it is: the first one, without DATA, or, if
 * there is a log, one more. Checkpoints do not keep the log: call this after rnn_trainer_load. The progress
 * function may call it. A checkpoint that is saved after a record, before the next update, has its state.
 *
 * log      read; its functions are kept; NULL: no log from now on
 * Errors   RNN_INVALID_ARGUMENT (also when log.write or log.record is NULL), RNN_UNSUPPORTED (several ranks,
 *          or built without training)
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_trainer_log(rnn_trainer_t *trainer, const rnn_log_t *log);

/* Release a trainer. NULL is ignored.
 *
 * Errors   none
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API void rnn_trainer_destroy(rnn_trainer_t *trainer);

/* ---- Tape: gradients in, gradients out ----------------------------------------------------------- */

/* The record of a forward pass, and the parameter gradients accumulated by backward passes. */
typedef struct rnn_tape_handle rnn_tape_t;

/* Create an empty tape for networks of the architecture of `rnn`.
 *
 * threads  as rnn_train_options_t.threads
 * out      written on success; the caller destroys the handle by rnn_tape_destroy
 * Errors   RNN_INVALID_ARGUMENT, RNN_OUT_OF_MEMORY, RNN_UNSUPPORTED (built without training)
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_tape_create(const rnn_t *rnn, int32_t threads, rnn_tape_t **out);

/* Run whole sequences and record what rnn_tape_backward needs; the record before is dropped, also when memory
 * runs out, gradients stay. The tape shares the weights of `rnn` as they are now.
 *
 * in             read; targets and weights are ignored
 * initial_states [N, S]  finite; NULL: the initial state
 * outputs        [F, O], or [N, O] with pooling; written on success if not NULL
 * final_states   [N, S]  written on success if not NULL
 * Errors   RNN_INVALID_ARGUMENT, RNN_MISMATCH (another architecture), RNN_OUT_OF_MEMORY
 * Threads  both handles are in use during the call; works on up to `threads` oneTBB threads
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_tape_forward(rnn_tape_t *tape, const rnn_t *rnn, const rnn_sequences_t *in,
                                      const float *initial_states, float *outputs, float *final_states);

/* Propagate gradients of a loss back through the recorded pass, and add the parameters' gradients to
 * those in the tape. A record serves one backward pass.
 *
 * d_outputs        [F, O], or [N, O] where the pass had pooling; read; NULL: all zero
 * d_final_states   [N, S]  read; NULL: all zero
 * d_inputs         [F, I]  written on success if not NULL; not with one-hot inputs
 * d_initial_states [N, S]  written on success if not NULL
 * Errors   RNN_INVALID_ARGUMENT (also when nothing is recorded), RNN_OUT_OF_MEMORY
 * Threads  one handle, one thread at a time; works on up to `threads` oneTBB threads
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_tape_backward(rnn_tape_t *tape, const float *d_outputs, const float *d_final_states,
                                  float *d_inputs, float *d_initial_states);

/* Drop parts of the layers' outputs in the passes recorded from now on, as rnn_train_options_t.dropout does.
 * The same seed drops the same elements in sequences of the same lengths.
 *
 * rate     0..<1; 0 is off, as at first
 * Errors   RNN_INVALID_ARGUMENT (also when the network has one layer, and nothing could be dropped)
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_tape_set_dropout(rnn_tape_t *tape, float rate, uint64_t seed);

/* What is dropped; each rate 0..<1, 0 is off. */
typedef struct rnn_dropout_rates {
  size_t struct_size;
  float layers; /* as rnn_train_options_t.dropout */
  float output; /* as rnn_train_options_t.output_dropout */
  float recurrent; /* as rnn_train_options_t.recurrent_dropout; sequence n of a pass has the same mask for the
                      same seed */
  int32_t zoneout; /* 1: layers with zoneout (rnn_layer_t.zoneout_h) draw masks, as in training; 0: their
                      states have the mean, as in inference */
} rnn_dropout_rates_t;

/* The same for every kind of dropout. rnn_tape_set_dropout is this with a rate for `layers` alone.
 *
 * rates    read
 * Errors   RNN_INVALID_ARGUMENT (also when one of them can have no effect on the network)
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_tape_set_dropout_rates(rnn_tape_t *tape, const rnn_dropout_rates_t *rates,
                                                uint64_t seed);

/* Copy the accumulated gradient of a parameter out.
 *
 * values   [count]  written on success
 * count    rows * columns
 * Errors   RNN_INVALID_ARGUMENT, RNN_NOT_FOUND
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_tape_gradient(const rnn_tape_t *tape, const char *name, float *values,
                                      size_t count);

/* Set the accumulated gradients to zero.
 *
 * Errors   RNN_INVALID_ARGUMENT
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_tape_zero_gradients(rnn_tape_t *tape);

/* Do one update of the trainer's weights with the gradients accumulated in the tape: clip, optimiser,
 * schedule. The tape's gradients stay as they are. Only with one rank.
 *
 * progress NULL, or its struct_size is read and the rest written on success (its loss is NaN)
 * Errors   RNN_INVALID_ARGUMENT (also with several ranks), RNN_MISMATCH (another architecture),
 *          RNN_NOT_FINITE (nothing changed), RNN_OUT_OF_MEMORY
 * Threads  both handles are in use during the call
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_trainer_apply(rnn_trainer_t *trainer, const rnn_tape_t *tape,
                                       rnn_progress_t *progress);

/* Release a tape. NULL is ignored.
 *
 * Errors   none
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API void rnn_tape_destroy(rnn_tape_t *tape);

/* ---- Files --------------------------------------------------------------------------------------- */

enum { /* rnn_save_options_t.format */
  RNN_FORMAT_SAFETENSORS = 1, /* PyTorch's tensor names, the configuration in the metadata */
  RNN_FORMAT_ONNX = 2,        /* RNN, GRU and LSTM nodes and what is around them */
  RNN_FORMAT_BINARY = 3,      /* the same contents as safetensors, without JSON, with a checksum */
  RNN_FORMAT_C = 4            /* a binary file as an array in C99 or C++, to be compiled in */
};

typedef struct rnn_save_options {
  size_t struct_size;
  int32_t format;        /* RNN_FORMAT_...; 0: by the suffix, .safetensors, .onnx, .rnn (binary) or .h (C) */
  int32_t without_probe; /* 1: no probe; see rnn_save */
  /* What stands before PyTorch's names, not for ONNX: the paths of modules, each with a point at its end.
   * With those of its own modules, load_state_dict(strict=True) takes a safetensors file of a network that
   * torch.nn.RNN, GRU or LSTM, with an Embedding and a Linear, can be. A tied head is the embedding's tensor
   * and has none of its own. */
  const char *layers;    /* default "" */
  const char *head;      /* default "head." */
  const char *embedding; /* default "embedding." */
  const char *name;      /* of the array in C: an identifier, no keyword and no name of this header;
                            default "network" */
} rnn_save_options_t;

typedef struct rnn_load_options {
  size_t struct_size;
  uint32_t flags;        /* RNN_FLAG_RELU: the RNN of a state dict has nonlinearity='relu', which its tensors
                            do not say */
  int32_t without_probe; /* 1: a probe in the file is not run; see rnn_load */
  /* Which tensors of a PyTorch state dict, in whatever file, are the network: what stands before
   * weight_ih_l0 (of a cell: weight_ih), or before weight; * stands for any characters, ? for one. Other
   * modules' tensors, whatever their types are, are passed over if layers is given, and else refused. NULL:
   * found by themselves, by their names' ends and their shapes. */
  const char *layers;    /* "lstm.", "encoder.*", ...; "lstm1.,gru.": modules that read each other so */
  const char *head;      /* "fc."; "": none */
  const char *embedding; /* "tokens."; "": none */
  const char *activations; /* "tanh,none", ...: which one is behind each Linear; see rnn_load. NULL: at most
                              one Linear, the head, is part of the network, without activation */
} rnn_load_options_t;

/* Save the network as a safetensors file with PyTorch's tensor names, its configuration, its metadata and a
 * probe in the file's metadata. Atomic: a crash at any instant leaves the old file or the new one.
 * A file that is replaced keeps its permissions, and its owner, group and access control list where the
 * process may give them; where it may not, the group may do no more than everybody. At no time can anybody
 * read the new contents who could not read the old ones. What a killed save may leave in the folder,
 * .rnn-*.tmp, the next one to the same path removes.
 * The probe is what the network gives for three fixed steps, outputs and states. Where it gives something
 * that is not finite, there is none.
 *
 * path     UTF-8
 * Errors   RNN_INVALID_ARGUMENT, RNN_FILE_ERROR, RNN_OUT_OF_MEMORY, RNN_UNSUPPORTED (built without formats)
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_save(const rnn_t *rnn, const char *path);

/* The same in any format.
 * An ONNX file (in a build with -Donnx=enabled) has the input x [steps, sequences, I], or with an embedding
 * indices [steps, sequences] (int64), and the outputs y [steps, sequences, O] and final_h_l0
 * [D, sequences, H], ..., with an LSTM final_c_l0, ..., with a convolution final_past_l0, ...
 * [(K - 1) dilation, sequences, X], its last inputs. The initial states, initial_h_l0, ..., are inputs
 * with defaults: who gives them goes on where another run ended. It needs nothing younger than opset 14;
 * minGRU and minLSTM are functions of it, which stand in the file. It cannot hold projections and layer
 * normalisation, and has no probe.
 *
 * path     UTF-8
 * options  NULL: all defaults
 * Errors   RNN_INVALID_ARGUMENT (also when neither options nor the path say which format), RNN_FILE_ERROR,
 *          RNN_OUT_OF_MEMORY, RNN_UNSUPPORTED (the format cannot hold this network, or is not in this build)
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_save_as(const rnn_t *rnn, const char *path, const rnn_save_options_t *options);

/* Create a network from a file, and a stream over it in the initial state. The contents say what the file is:
 * one that rnn_save_as wrote (but in C), the state dict of a PyTorch module in safetensors, JSON or a file of
 * torch.save (.pt, .pth), or a file of another library that this build reads. Of those in JSON: models of
 * RTNeural and Keras, of lstm, gru, dense, conv1d, activation, prelu and batchnorm layers in any order, where
 * activation and recurrent_activation of a lstm or gru are Keras' (RTNeural itself passes over them);
 * GuitarML's models, which are state dicts; Neural Amp Modeler's LSTM, Linear and ConvNet (.nam; the file
 * must say its version, 0.5 to 0.7), of which the LSTM starts from the state in the file, the others from
 * zeros (that program itself runs half a second of silence first); and SmartAmpPro's models, which compute
 * each output from the last input_size inputs alone: the two convolutions become one, and the LSTM, which
 * starts from zeros at each step, has its forget gate shut.
 * Of Keras 2 and 3, .keras and .h5 (of a model, not of save_weights): a Sequential model, or a Functional one
 * whose layers read one after the other, of at most one Embedding (without mask_zero), then SimpleRNN, GRU,
 * LSTM, Dense, causal Conv1D, BatchNormalization (of the last axis) and activations of rnn_layer_t, in any
 * order; what acts in training alone, as Dropout, is left out. Recurrent layers may be Bidirectional with
 * concat, sum or ave, or have go_backwards, whose outputs come in the reverse order: a second one must turn
 * them back, or what reads them make one vector of the sequence. That do return_sequences=False,
 * GlobalAveragePooling1D and GlobalMaxPooling1D, of which there may be one: metadata keras.pooling is then
 * "last", "mean" or "max", and Keras' outputs are those of RNN_POOLING_LAST, RNN_POOLING_MEAN or
 * RNN_POOLING_MAX. HDF5 is read as h5py writes it by default. Batch normalisation becomes part of the matrix
 * before or behind it, as it is after training.
 * An ONNX file (in a build with -Donnx=enabled) has RNN, GRU or LSTM nodes, products with matrices,
 * activations and constants that are added or multiplied, causal Conv nodes over the steps (stride 1, behind
 * (K - 1) dilation zeros of pads, Pad or Concat), and residual sums, one after the other; inputs that are
 * added to the outputs become skip. All weights are constants of the file; those of 8 bits become
 * floats, and what a graph quantises while it runs is not rounded. Where it gives the output of the last
 * step alone, metadata onnx.pooling is "last": outputs are those of RNN_POOLING_LAST; "mean" and "max" say
 * so of ReduceMean, ReduceMax and global pooling over the steps.
 * A state dict has a torch.nn.RNN, GRU or LSTM, also bidirectional or with projections, or an RNNCell,
 * GRUCell or LSTMCell, and around it, where they are there, an Embedding and a Linear. Several recurrent
 * modules read each other in JSON, in the order in which they stand, and everywhere if they are rnns.0,
 * rnns.1, ..., as AWD-LSTM has them; elsewhere options.layers must say which module it is, or which are and
 * in which order ("lstm1.,gru."). Of a weight-drop wrapper, weight_hh_l0_raw is the parameter, whether or not
 * there is a weight_hh_l0, too; encoder_dp.emb.weight may repeat encoder.weight. A file of torch.save
 * (PyTorch 1.6 or later) may hold the state dict among other things: the keys of dictionaries are joined by
 * points, and numbers, texts and lists are passed over. Its pickle is read, not run: what is not needed for
 * tensors, such as a module's class, is refused. No tensor is filled in: one that the others imply is refused
 * by its name if it is missing.
 * With options.activations, all recurrent modules and Linears read each other in the order in which they
 * stand, in JSON and files of torch.save, and that is what is behind each Linear: "none", "tanh", "relu",
 * "sigmoid", "softmax", "elu", "elu(0.5)", "leaky_relu" (0.01), "leaky_relu(0.2)", "softsign", "gelu",
 * "silu", "softplus" or "hard_sigmoid", with commas between them; there may be Linears alone; options.head
 * says which Linears, if not all; a module without bias and with "emb" in its name is the embedding.
 * Safetensors are sorted, and so have at most one Linear, behind the others.
 * AIDA-X's in_skip and GuitarML's skip become rnn_config_t.skip: 0, or 1 where there is one output. What
 * changes the output and no network here has is refused. What the file says beside the network becomes its
 * metadata: gains, such as AIDA-X's in_gain and out_gain, are the caller's to apply. JSON may have a byte
 * order mark, and Python's NaN and Infinity, which become text; what has no name is left out.
 * Where the file has a probe, the network must give what it says, within 1e-4 (RNN_COMPUTE_F32), 0.03 (BF16)
 * or 0.05 (INT8) of the largest value of each vector, and of 1 at least: instruction sets without fused
 * multiply-add round differently. A network that magnifies this beyond measure needs without_probe of
 * rnn_load_as. A state dict may have one of its own: tensors probe.inputs [steps, I] (with an embedding
 * indices [steps], whole numbers) and probe.outputs [steps, O], what the module gives for that sequence from
 * the initial state.
 *
 * path      UTF-8
 * allocator NULL: the C++ runtime's
 * out       written on success; the caller destroys the handle by rnn_destroy
 * Errors    RNN_INVALID_ARGUMENT (also when several modules of a state dict could be the network: options say
 *           which), RNN_FILE_ERROR, RNN_BAD_FORMAT (damaged or of an unknown kind; also when the network
 *           gives something else than the probe says), RNN_UNSUPPORTED (not in this build; or the message
 *           says "unsupported: " and the kind of file, with what makes one that is read, or what in the
 *           network is none that librnn computes), RNN_OUT_OF_MEMORY
 * Threads   any
 * Realtime  no
 * Since     0.1 */
RNN_API rnn_status_t rnn_load(const char *path, const rnn_allocator_t *allocator, rnn_t **out);

/* The same with options.
 *
 * path      UTF-8
 * options   NULL: all defaults
 * allocator NULL: the C++ runtime's
 * out       written on success; the caller destroys the handle by rnn_destroy
 * Errors    as rnn_load; RNN_INVALID_ARGUMENT (also when an option does not fit what the file holds)
 * Threads   any
 * Realtime  no
 * Since     0.1 */
RNN_API rnn_status_t rnn_load_as(const char *path, const rnn_load_options_t *options,
                                 const rnn_allocator_t *allocator, rnn_t **out);

/* The file that rnn_save writes, in memory; in a build without formats, that of RNN_FORMAT_BINARY.
 *
 * memory   [capacity] bytes  written on success; NULL with capacity 0 only asks for the size
 * size     written on success: bytes written, or needed
 * Errors   RNN_INVALID_ARGUMENT (also when capacity is too small; the message says what is needed),
 *          RNN_OUT_OF_MEMORY
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_save_memory(const rnn_t *rnn, void *memory, size_t capacity, size_t *size);

/* The file that rnn_save_as writes, in memory; without a format, that of rnn_save_memory.
 *
 * options  NULL: all defaults
 * memory   [capacity] bytes  written on success; NULL with capacity 0 only asks for the size
 * size     written on success: bytes written, or needed; text in C has no zero byte at its end
 * Errors   RNN_INVALID_ARGUMENT (also when capacity is too small; the message says what is needed),
 *          RNN_OUT_OF_MEMORY, RNN_UNSUPPORTED (the format cannot hold this network, or is not in this build)
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_save_memory_as(const rnn_t *rnn, const rnn_save_options_t *options, void *memory,
                                        size_t capacity, size_t *size);

/* Create a network from a file in memory; see rnn_load. A build without formats reads RNN_FORMAT_BINARY
 * alone.
 *
 * memory    [size] bytes  read
 * allocator NULL: the C++ runtime's
 * out       written on success; the caller destroys the handle by rnn_destroy
 * Errors    RNN_INVALID_ARGUMENT, RNN_BAD_FORMAT, RNN_OUT_OF_MEMORY, RNN_UNSUPPORTED
 * Threads   any
 * Realtime  no
 * Since     0.1 */
RNN_API rnn_status_t rnn_load_memory(const void *memory, size_t size, const rnn_allocator_t *allocator,
                                     rnn_t **out);

/* The same with options.
 *
 * memory    [size] bytes  read
 * options   NULL: all defaults
 * allocator NULL: the C++ runtime's
 * out       written on success; the caller destroys the handle by rnn_destroy
 * Errors    as rnn_load_memory; RNN_INVALID_ARGUMENT (also when an option does not fit what the file holds)
 * Threads   any
 * Realtime  no
 * Since     0.1 */
RNN_API rnn_status_t rnn_load_memory_as(const void *memory, size_t size, const rnn_load_options_t *options,
                                        const rnn_allocator_t *allocator, rnn_t **out);

/* Keep text with the network's weights, such as a vocabulary or a sample rate: streams that share weights
 * share it, and it goes into files and comes back from them. If the weights are shared, this handle first
 * gets a copy of its own.
 *
 * key      UTF-8, not empty; what begins with "rnn." is the library's own
 * value    UTF-8; NULL: no longer keep any under this key
 * Errors   RNN_INVALID_ARGUMENT, RNN_OUT_OF_MEMORY
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_set_metadata(rnn_t *rnn, const char *key, const char *value);

/* Copy a text out, with a zero byte at its end.
 *
 * value    [capacity] bytes  written on success; NULL with capacity 0 only asks for the size
 * size     written on success: bytes written, or needed
 * Errors   RNN_INVALID_ARGUMENT (also when capacity is too small; the message says what is needed),
 *          RNN_NOT_FOUND
 * Threads  one handle, one thread at a time
 * Realtime no
 * Since    0.1 */
RNN_API rnn_status_t rnn_get_metadata(const rnn_t *rnn, const char *key, char *value, size_t capacity,
                                      size_t *size);

/* The number of texts.
 *
 * count    written on success
 * Errors   RNN_INVALID_ARGUMENT
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_metadata_count(const rnn_t *rnn, size_t *count);

/* The key of a text; keys are in the order of their bytes.
 *
 * index    0..count-1
 * key      written on success; lives as long as a handle over the same weights, until rnn_set_metadata
 * Errors   RNN_INVALID_ARGUMENT
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_metadata_key(const rnn_t *rnn, size_t index, const char **key);

/* ---- Introspection ------------------------------------------------------------------------------- */

/* Read the configuration of a network, with defaults resolved; allocator is NULL. Of a list of layers that
 * the other fields can say (equal cells, and at most a head), layers is NULL, and they say it.
 *
 * out      its struct_size is read, the rest written on success; layers, if not NULL, is the network's, and
 *          lives as long as a handle over the same weights, until these are changed
 * Errors   RNN_INVALID_ARGUMENT
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_get_config(const rnn_t *rnn, rnn_config_t *out);

/* The number O of outputs of a step: those of the head or, without one, of the last layer.
 *
 * size     written on success
 * Errors   RNN_INVALID_ARGUMENT
 * Threads  one handle, one thread at a time
 * Realtime yes
 * Since    0.1 */
RNN_API rnn_status_t rnn_output_size(const rnn_t *rnn, size_t *size);

#ifdef __cplusplus
}
#endif

#endif
