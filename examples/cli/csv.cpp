#include "csv.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <unordered_set>

#include "common.h"

namespace {

constexpr double kLargest = 1e30;  // its square is a double, and what is standardised a float
constexpr std::size_t kListed = 20;

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

// As a computer writes decimal numbers; empty if it is none.
std::optional<double> number_of(const std::string& text) {
  char* end = nullptr;
  if (text.empty() || text.find_first_not_of("0123456789+-.eE") != text.npos) return std::nullopt;
  const double value = std::strtod(text.c_str(), &end);
  return *end == '\0' && end != text.c_str() ? std::optional(value) : std::nullopt;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kListed; ++i) text += (i == 0 ? "" : ", ") + names[i];
  return text + (names.size() > kListed ? ", ..." : "");
}

[[noreturn]] void fail_at(const std::string& place, std::size_t column, const std::string& name,
                          const std::string& message) {
  throw std::runtime_error(printable(place + ", column " + std::to_string(column + 1) + " (" + name +
                                     "): " + message));  // no zeros
}

double value_of(const std::string& field, const std::string& place, std::size_t column,
                const std::string& name) {
  const std::string text = trimmed(field);
  if (text.empty()) fail_at(place, column, name, "there is no value");
  const std::optional<double> value = number_of(text);
  if (!value) fail_at(place, column, name, "\"" + first_characters(text, 40) + "\" is not a number");
  if (!(std::fabs(*value) <= kLargest))
    fail_at(place, column, name, first_characters(text, 40) + " is too large; at most 1e30");
  return *value;
}

std::size_t place_of(const std::vector<std::string>& names, const std::string& name,
                     const std::string& path) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    throw std::runtime_error(
        printable(path + " has no column " + name + "; its columns are " + listed(names)));
  return static_cast<std::size_t>(found - names.begin());
}

// The columns to read: those that are named, or those that have a number in this row, or nothing.
std::vector<std::size_t> chosen(const std::vector<std::string>& names, const TableOptions& options,
                                const std::vector<std::string>& first, const std::string& path) {
  std::vector<std::size_t> places;
  for (const std::string& name : options.names) places.push_back(place_of(names, name, path));
  if (!options.names.empty()) return places;
  for (std::size_t c = 0; c < first.size(); ++c) {
    const std::string text = trimmed(first[c]);
    if (text.empty() || number_of(text))
      places.push_back(c);
    else
      note(path + ": the column " + names[c] + " has no numbers, and is left out");
  }
  return places;
}

std::vector<std::string> header_of(const std::vector<std::string>& row, bool has_header,
                                   const std::string& path) {
  std::vector<std::string> names;
  for (std::size_t c = 0; c < row.size(); ++c)
    names.push_back(has_header ? trimmed(row[c]) : std::to_string(c + 1));
  std::unordered_set<std::string> seen;
  for (const std::string& name : names)
    if (!seen.insert(name).second)
      throw std::runtime_error(printable(path + ", line 1: two columns are called \"" + name + "\""));
  const bool has_numbers = std::all_of(names.begin(), names.end(),
                                       [](const std::string& name) { return number_of(name).has_value(); });
  if (has_header && has_numbers)
    throw std::runtime_error(
        path + ", line 1: it has numbers, and no names of columns; --no-header calls these 1, 2, ...");
  return names;
}

}  // namespace

void CsvReader::fail(std::size_t number, const std::string& message) const {
  throw std::runtime_error(name_ + ", line " + std::to_string(line_) + ", column " +
                           std::to_string(number + 1) + ": " + message);
}

bool CsvReader::has_lines() const {
  return text_.find('\r') >= text_.find_last_not_of("\r") || text_.find('\n') != text_.npos;
}

// Nothing but ends of lines is left.
bool CsvReader::at_end() { return text_.find_first_not_of("\r\n", next_) == text_.npos; }

std::string CsvReader::quoted_field(std::size_t number) {
  std::string field;
  const std::size_t begin = line_;
  for (++next_; next_ < text_.size(); ++next_) {
    if (text_[next_] == '"' && text_.compare(next_, 2, "\"\"") != 0) {
      ++next_;
      if (next_ < text_.size() && std::strchr(",\r\n", text_[next_]) == nullptr)
        fail(number, "there is more behind the closing quote");
      return field;
    }
    if (text_[next_] == '"') ++next_;
    if (text_[next_] == '\n') ++line_;
    field += text_[next_];
  }
  line_ = begin;
  fail(number, "a quote is not closed");
}

std::string CsvReader::field(std::size_t number) {
  if (next_ < text_.size() && text_[next_] == '"') return quoted_field(number);
  std::size_t end = text_.find_first_of(",\n", next_);
  if (end == text_.npos) end = text_.size();
  std::string field = text_.substr(next_, end - next_);
  next_ = end;
  if (end < text_.size() && text_[end] == '\n' && !field.empty() && field.back() == '\r') field.pop_back();
  if (end == text_.size() && !field.empty() && field.back() == '\r') field.pop_back();
  if (field.find('"') != field.npos) fail(number, "a quote stands in a field that does not begin with one");
  return field;
}

bool CsvReader::next(std::vector<std::string>& fields) {
  fields.clear();
  row_line_ = line_;
  if (at_end()) return false;
  for (;;) {
    fields.push_back(field(fields.size()));
    if (next_ < text_.size() && text_[next_] == ',') {
      ++next_;
      continue;
    }
    if (text_.compare(next_, 2, "\r\n") == 0) ++next_;
    if (next_ < text_.size()) ++next_;
    ++line_;
    return true;
  }
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of("\",\r\n") == text.npos) return text;
  return "\"" + CLI::detail::find_and_replace(text, "\"", "\"\"") + "\"";
}

const std::vector<double>& NumberTable::column(const std::string& name, const std::string& path) const {
  return columns[place_of(names, name, path)];
}

NumberTable read_table(const std::string& path, const TableOptions& options) {
  CsvReader reader(read_utf8(path), path);
  std::vector<std::string> row;
  if (!reader.next(row)) throw std::runtime_error(path + " is empty");
  if (!reader.has_lines())
    throw std::runtime_error(path + ": its lines end with CR alone; they must end with LF or CR LF");
  const std::vector<std::string> names = header_of(row, options.has_header, path);
  if (options.has_header && !reader.next(row))
    throw std::runtime_error(path + " has no rows below the names of its columns");
  const auto check_width = [&] {
    if (row.size() != names.size())
      throw std::runtime_error(reader.place() + " has " + std::to_string(row.size()) +
                               " fields; the first line has " + std::to_string(names.size()));
  };
  check_width();
  const std::vector<std::size_t> places = chosen(names, options, row, path);
  NumberTable table;
  for (const std::size_t c : places) table.names.push_back(names[c]);
  table.columns.resize(places.size());
  do {
    check_width();
    for (std::size_t i = 0; i < places.size(); ++i)
      table.columns[i].push_back(value_of(row[places[i]], reader.place(), places[i], names[places[i]]));
  } while (reader.next(row));
  return table;
}

std::string read_utf8(const std::string& path) {
  const Text text = read_input(path);
  std::string all;
  for (const std::string& part : text.parts()) all += part;
  if (text.is_utf8()) return all;
  std::size_t line = 1;
  for (std::size_t begin = 0; begin < all.size(); ++line) {
    const std::size_t end = std::min(all.find('\n', begin), all.size());
    if (!Text(all.substr(begin, end - begin)).is_utf8()) break;
    begin = end + 1;
  }
  throw std::runtime_error(path + ", line " + std::to_string(line) +
                           ": it is not UTF-8, nor UTF-16 with a byte order mark");
}
