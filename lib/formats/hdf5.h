// HDF5 files, as far as h5py writes them unless told otherwise and Keras' files need: superblock 0 or 1, groups that are
// symbol tables, object headers of version 1, values that stand in one piece. All else, such as chunks, filters, links
// to other files and the layouts of `libver="latest"`, is refused as Error(RNN_UNSUPPORTED).
//
// The HDF Group's library is not used: it is not made for files from strangers. What is read here is bounded by the
// file, whoever wrote it; damage is an Error(RNN_BAD_FORMAT).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/formats/contents.h"
#include "lib/formats/source.h"

namespace rnn::formats {

class Hdf5 {
 public:
  using Address = std::uint64_t;  // of an object's header in the file

  static bool recognise(const ByteRange& head) noexcept;

  explicit Hdf5(const Source& source);  // which outlives this

  Address root() const noexcept { return root_; }

  // The object at the end of a path, a/b/c, from a group on; none if a part of it is not there.
  std::optional<Address> find(Address group, std::string_view path);

  // The values of an attribute that has texts, one or a vector of them; none if there is no such attribute.
  std::optional<std::vector<std::string>> texts(Address object, std::string_view attribute);

  // A dataset, whose values are read from the source. `name` is for messages.
  Tensor tensor(Address dataset, const std::string& name);

 private:
  struct Message {
    std::uint16_t type;
    bool shared;
    std::uint64_t begin, size;  // where its data are in the file
  };
  struct Attribute {
    std::uint64_t type, space, space_size, values, values_size;
  };
  using Links = std::map<std::string, Address, std::less<>>;

  void spend(std::uint64_t cost);
  ByteRange bytes(std::uint64_t offset, std::uint64_t count);
  template <class T>
  T number(std::uint64_t offset);
  void expect(std::uint64_t offset, std::string_view signature, const char* what);

  const std::vector<Message>& messages(Address object);
  void add_messages(std::uint64_t begin, std::uint64_t size, std::vector<Message>& found,
                    std::vector<Message>& continuations);
  std::optional<Message> find_message(Address object, std::uint16_t type);

  const Links& links(Address group);
  void add_nodes(std::uint64_t node, std::size_t depth, const Message& heap, Links& found);
  void add_symbols(std::uint64_t node, const Message& heap, Links& found);
  std::string name_in(const Message& heap, std::uint64_t offset);

  Shape read_space(std::uint64_t at, std::uint64_t size);
  std::optional<Attribute> read_attribute(const Message& message, std::string_view name);
  std::string variable_text(std::uint64_t at);
  Tensor make_tensor(Address dataset, const std::string& name);

  const Source& source_;
  // Of bytes to read beside values, and to keep of them: what a file's parts say of each other may go in circles.
  std::uint64_t budget_;
  Address root_ = 0;
  std::map<Address, std::vector<Message>> messages_;
  std::map<Address, Links> links_;
};

}  // namespace rnn::formats
