// Archives of rnn pack. All numbers are little-endian.
//
//   header  8 bytes  8A 52 4E 4E 50 0D 0A 1A
//           1        version of the format and of the model: 1
//           1        preset: which contexts and which network predict, see model.cpp
//           2        options: none yet, 0
//           4        CRC-32 of the 12 bytes before
//   block   4        P, the size of its plain text: 1..65536
//           4        C, the size of what follows: 1..P; of a block that is stored as it is, P
//           4        CRC-32 of the plain text from its beginning to the end of this block, followed by the C bytes
//           C        the bits of the plain text, the highest of each byte first, by the range coder with the model's
//                    probabilities; or the plain text, if C = P
//   ...
//   end     4        0
//           4        0
//           4        CRC-32 of the whole plain text
//
// A block begins with a new range coder, but goes on with the model of the one before, which learns from stored blocks, too.
// So blocks can be read in their order alone, and what is before a damaged one is right.
#pragma once

#include <stdexcept>

#include "files.h"

namespace pack {

// The archive is not what it was; what was before the damage is written.
class Damaged : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

void pack(Input& in, Output& out, int preset, int threads);

// Throws Damaged, or std::runtime_error if it is no archive, or one that this program cannot read.
void unpack(Input& in, Output& out, int threads);

}  // namespace pack
