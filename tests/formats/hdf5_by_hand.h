// HDF5 files by hand, as h5py lays them out: superblock 0, groups with a symbol table, headers of version 1.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/formats/zip_by_hand.h"

class Hdf5File {
 public:
  // A group or a dataset, by where its header is.
  struct Link {
    std::string name;
    std::uint64_t object;
  };
  struct Message {
    std::uint16_t type;
    std::string data;
    char flags = 0;  // 2: shared
  };

  static constexpr std::uint64_t kSoft = ~std::uint64_t{0};  // as a link's object

  std::uint64_t group(const std::vector<Link>& links, std::vector<Message> attributes = {}) {
    std::string names(8, '\0'), symbols;
    for (const Link& link : links) {
      symbols += number(std::uint64_t{names.size()}) + number(link.object) +
                 number(std::uint32_t{link.object == kSoft ? 2u : 0u}) + std::string(20, '\0');
      names += padded(link.name + std::string(1, '\0'));
    }
    const std::uint64_t data = add(names);
    const std::uint64_t heap = add(std::string("HEAP\0\0\0\0", 8) + number(std::uint64_t{names.size()}) +
                                   number(std::uint64_t{1}) + number(data));
    const std::uint64_t node =
        add(std::string("SNOD\1\0", 6) + number(static_cast<std::uint16_t>(links.size())) + symbols);
    const std::string none = number(~std::uint64_t{0});
    const std::uint64_t tree = add(std::string("TREE\0\0\1\0", 8) + none + none + number(std::uint64_t{0}) +
                                   number(node) + number(std::uint64_t{8}));
    attributes.push_back({17, number(tree) + number(heap)});
    return header(attributes);
  }

  std::uint64_t dataset(const std::vector<std::uint64_t>& shape, const std::vector<float>& values) {
    std::string data;
    for (const float value : values) data += number(value);
    return header({{1, space(shape)}, {3, f32()}, {8, contiguous(data)}});
  }

  std::uint64_t header(const std::vector<Message>& messages) {
    std::string all;
    for (const Message& message : messages) {
      const std::string data = padded(message.data);
      all += number(message.type) + number(static_cast<std::uint16_t>(data.size())) +
             std::string(1, message.flags) + std::string(3, '\0') + data;
    }
    return add(std::string("\1\0", 2) + number(static_cast<std::uint16_t>(messages.size())) +
               number(std::uint32_t{1}) + number(static_cast<std::uint32_t>(all.size())) +
               std::string(4, '\0') + all);
  }

  // ---- Messages ----

  // Of texts of one length.
  static Message fixed(const std::string& name, const std::vector<std::string>& texts) {
    std::size_t size = 1;
    for (const std::string& text : texts) size = std::max(size, text.size());
    std::string values;
    for (const std::string& text : texts) values += text + std::string(size - text.size(), '\0');
    return attribute(name, std::string("\x13\1\0\0", 4) + number(static_cast<std::uint32_t>(size)),
                     space({texts.size()}), values);
  }

  // Of one text somewhere else in the file, as h5py has it.
  Message variable(const std::string& name, const std::string& text) {
    const std::uint64_t size = 16 + 16 + padded(text).size() + 16;
    const std::uint64_t heap =
        add(std::string("GCOL\1\0\0\0", 8) + number(size) + number(std::uint16_t{1}) + std::string(6, '\0') +
            number(std::uint64_t{text.size()}) + padded(text) + std::string(16, '\0'));
    const std::string value =
        number(static_cast<std::uint32_t>(text.size())) + number(heap) + number(std::uint32_t{1});
    const std::string character = std::string("\x13\0\0\0", 4) + number(std::uint32_t{1});
    return attribute(name, std::string("\x19\1\0\0", 4) + number(std::uint32_t{16}) + character, space({}),
                     value);
  }

  static Message attribute(const std::string& name, const std::string& type, const std::string& shape,
                           const std::string& values) {
    const auto size = [](const std::string& text) { return number(static_cast<std::uint16_t>(text.size())); };
    const std::string full = name + std::string(1, '\0');
    return {12, std::string("\1\0", 2) + size(full) + size(type) + size(shape) + padded(full) + padded(type) +
                    padded(shape) + values};
  }

  static std::string space(const std::vector<std::uint64_t>& shape) {
    std::string data = std::string("\1", 1) + static_cast<char>(shape.size()) + std::string(6, '\0');
    for (const std::uint64_t n : shape) data += number(n);
    return data;
  }
  static std::string f32() {
    return std::string("\x11\x20\x1f\0", 4) + number(std::uint32_t{4}) +
           std::string("\0\0\x20\0\x17\x08\0\x17", 8) + number(std::uint32_t{127});
  }
  static std::string i32() {
    return std::string("\x10\x08\0\0", 4) + number(std::uint32_t{4}) + std::string("\0\0\x20\0", 4);
  }
  std::string contiguous(const std::string& data) {
    return std::string("\3\1", 2) + number(add(data)) + number(std::uint64_t{data.size()});
  }
  static std::string compact(const std::string& data) {
    return std::string("\3\0", 2) + number(static_cast<std::uint16_t>(data.size())) + data;
  }

  std::string file(std::uint64_t root) const {
    const std::uint64_t none = ~std::uint64_t{0};
    return std::string("\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0\4\0\x10\0\0\0\0\0", 24) +
           number(std::uint64_t{0}) + number(none) + number(std::uint64_t{kSuperblock + bytes_.size()}) +
           number(none) + number(std::uint64_t{0}) + number(root) + std::string(24, '\0') + bytes_;
  }

 private:
  static constexpr std::uint64_t kSuperblock = 96;

  static std::string padded(std::string text) {
    text.resize((text.size() + 7) / 8 * 8);
    return text;
  }
  std::uint64_t add(const std::string& data) {
    const std::uint64_t place = kSuperblock + bytes_.size();
    bytes_ += padded(data);
    return place;
  }

  std::string bytes_;
};
