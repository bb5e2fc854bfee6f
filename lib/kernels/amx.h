// Whether this process may use AMX.
#pragma once

namespace rnn::kernels {

// True if the CPU has tile registers and multiplies bf16 with them, and the operating system lets this
// process use them, which Linux has to be asked for. That is for good, and makes signal frames larger by 8
// KB: for who computes in bf16 only.
bool request_amx() noexcept;

}  // namespace rnn::kernels
