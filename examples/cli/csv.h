// Comma-separated values (RFC 4180), of numbers and of names.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

// Rows one after the other. Lines end with LF or CR LF; a field that begins with a quote goes to the closing one, and two
// quotes in it are one. Empty lines at the end are no rows.
class CsvReader {
 public:
  // `name` is what the text is called in messages.
  CsvReader(std::string text, std::string name) : text_(std::move(text)), name_(std::move(name)) {}

  // Whether there was another row. Throws std::runtime_error, which names line and field.
  bool next(std::vector<std::string>& fields);

  // Not of a text in which CR alone ends lines, as if all were one.
  bool has_lines() const;

  // "data.csv, line 3": where the row began that was read last.
  std::string place() const { return name_ + ", line " + std::to_string(row_line_); }

 private:
  bool at_end();
  std::string field(std::size_t number);
  std::string quoted_field(std::size_t number);
  [[noreturn]] void fail(std::size_t number, const std::string& message) const;

  const std::string text_;
  const std::string name_;
  std::size_t next_ = 0;
  std::size_t line_ = 1;
  std::size_t row_line_ = 1;
};

// The field as RFC 4180 has it, in quotes if it has to be.
std::string csv_field(const std::string& text);

struct NumberTable {
  std::vector<std::string> names;
  std::vector<std::vector<double>> columns;

  std::size_t rows() const { return columns.empty() ? 0 : columns[0].size(); }
  // Throws std::runtime_error, with the names that there are.
  const std::vector<double>& column(const std::string& name, const std::string& path) const;
};

struct TableOptions {
  bool has_header = true;          // else columns are called 1, 2, ...
  std::vector<std::string> names;  // of the columns to read; empty: all whose first value is a number
};

// A file, or standard input. What is read has a number in each row. Throws std::runtime_error, which names line and
// column.
NumberTable read_table(const std::string& path, const TableOptions& options);

// A file's text. Throws std::runtime_error, with the line, if it is not UTF-8, or UTF-16 with a byte order mark.
std::string read_utf8(const std::string& path);
