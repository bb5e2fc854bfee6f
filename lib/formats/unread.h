// Files that this library does not read: what they are, and the shortest way to one that it reads.
#pragma once

#include "lib/formats/source.h"

namespace rnn {

// A file which begins with `head` and is of none of the kinds that are read. Throws Error(RNN_UNSUPPORTED)
// that names the kind if it is a known one, Error(RNN_BAD_FORMAT) if it is damaged or unknown.
[[noreturn]] void refuse_unread(const Source& source, const ByteRange& head);

// The file of a TensorFlow SavedModel, which begins as one of ONNX does.
bool is_saved_model(const ByteRange& head) noexcept;

// The same for the folder of one.
constexpr char kSavedModelFile[] = "saved_model.pb";
[[noreturn]] void refuse_saved_model(const char* folder);

}  // namespace rnn
