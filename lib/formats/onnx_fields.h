// Which fields of the messages in ONNX files are messages themselves. protobuf's descriptors say so too, but are built
// when first asked for: if memory runs out then, they stay half built, and the next use of them crashes.
#pragma once

namespace rnn::onnx_import {

// Types of messages; those with the same fields of this kind are one.
enum class Message {
  none,
  leaf,  // without messages in it
  model,
  training,
  function,
  graph,
  node,
  attribute,
  tensor,
  sparse_tensor,
  value_info,
  annotation,
  type,
  tensor_type,  // also of sparse tensors
  list_type,    // sequence, optional
  map_type,
  shape
};

// What a field of a message holds; none: no message, or one that is newer than this table.
Message message_in(Message message, int field) noexcept;

}  // namespace rnn::onnx_import
