// What torch.save wrote: a ZIP archive of a pickle, data.pkl, and the numbers of each storage, data/KEY. Read
// are dictionaries of tensors, and of such dictionaries, whose keys are joined by points: a state dict, or a
// checkpoint that holds one among other things ("state_dict.lstm.weight_ih_l0").
#pragma once

#include <cstddef>

#include "lib/formats/contents.h"

namespace rnn::formats::torch_file {

// False for a TorchScript module. Throws Error(RNN_BAD_FORMAT) for an archive whose directory is damaged.
bool recognise(const Source& source, const ByteRange& head);

// The source outlives the contents. Throws Error(RNN_BAD_FORMAT) for what is damaged, Error(RNN_UNSUPPORTED)
// for what is no dictionary of tensors.
Contents read(const Source& source);

}  // namespace rnn::formats::torch_file
