// Networks of Keras: .keras, a ZIP archive of the configuration and an HDF5 file of the variables, and .h5, the HDF5
// file that Keras 2 writes and Keras 3 may write.
#pragma once

#include "lib/formats/model.h"
#include "lib/formats/source.h"

namespace rnn::keras {

// Whether a file, which begins with `head`, is one or the other. Throws Error(RNN_BAD_FORMAT) for an archive whose
// directory is damaged.
bool recognise(const Source& source, const ByteRange& head);

// What the layers give beside the network (dropout, an identity) is left out; the versions that the file says become
// metadata. Throws Error(RNN_BAD_FORMAT) for what is damaged or contradicts itself, Error(RNN_UNSUPPORTED) for what no
// network here computes, with the layer's name and class.
Model read(const Source& source, const ByteRange& head);

}  // namespace rnn::keras
