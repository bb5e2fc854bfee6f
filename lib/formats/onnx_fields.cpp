#include "lib/formats/onnx_fields.h"

namespace rnn::onnx_import {
namespace {

using M = Message;

// Up to ONNX 1.19, without what describes devices.
constexpr struct {
  M message;
  int field;
  M holds;
} kFields[] = {{M::model, 7, M::graph},
               {M::model, 8, M::leaf},   // opset_import
               {M::model, 14, M::leaf},  // metadata_props
               {M::model, 20, M::training},
               {M::model, 25, M::function},
               {M::training, 1, M::graph},  // initialization
               {M::training, 2, M::graph},  // algorithm
               {M::training, 3, M::leaf},   // initialization_binding
               {M::training, 4, M::leaf},   // update_binding
               {M::function, 7, M::node},
               {M::function, 9, M::leaf},  // opset_import
               {M::function, 11, M::attribute},
               {M::function, 12, M::value_info},
               {M::function, 14, M::leaf},  // metadata_props
               {M::graph, 1, M::node},
               {M::graph, 5, M::tensor},       // initializer
               {M::graph, 11, M::value_info},  // input
               {M::graph, 12, M::value_info},  // output
               {M::graph, 13, M::value_info},
               {M::graph, 14, M::annotation},
               {M::graph, 15, M::sparse_tensor},  // sparse_initializer
               {M::graph, 16, M::leaf},           // metadata_props
               {M::node, 5, M::attribute},
               {M::node, 9, M::leaf},  // metadata_props
               {M::attribute, 5, M::tensor},
               {M::attribute, 6, M::graph},
               {M::attribute, 10, M::tensor},  // tensors
               {M::attribute, 11, M::graph},   // graphs
               {M::attribute, 14, M::type},
               {M::attribute, 15, M::type},  // type_protos
               {M::attribute, 22, M::sparse_tensor},
               {M::attribute, 23, M::sparse_tensor},  // sparse_tensors
               {M::tensor, 3, M::leaf},               // segment
               {M::tensor, 13, M::leaf},              // external_data
               {M::tensor, 16, M::leaf},              // metadata_props
               {M::sparse_tensor, 1, M::tensor},      // values
               {M::sparse_tensor, 2, M::tensor},      // indices
               {M::value_info, 2, M::type},
               {M::value_info, 4, M::leaf},  // metadata_props
               {M::annotation, 2, M::leaf},  // quant_parameter_tensor_names
               {M::type, 1, M::tensor_type},
               {M::type, 4, M::list_type},  // sequence_type
               {M::type, 5, M::map_type},
               {M::type, 7, M::leaf},         // opaque_type
               {M::type, 8, M::tensor_type},  // sparse_tensor_type
               {M::type, 9, M::list_type},    // optional_type
               {M::tensor_type, 2, M::shape},
               {M::list_type, 1, M::type},  // elem_type
               {M::map_type, 2, M::type},   // value_type
               {M::shape, 1, M::leaf}};     // dim

}  // namespace

Message message_in(Message message, int field) noexcept {
  for (const auto& row : kFields)
    if (row.message == message && row.field == field) return row.holds;
  return M::none;
}

}  // namespace rnn::onnx_import
