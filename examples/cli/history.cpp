#include "history.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "../model_file.h"
#include "common.h"
#include "csv.h"

namespace {

constexpr const char* kFirst = "update";
constexpr const char* kTraining = "training_loss";
constexpr const char* kValidation = "validation_loss";

std::string line_of(const LossRow& row) {
  char text[128], validation[32] = "";
  if (!std::isnan(row.validation)) std::snprintf(validation, sizeof validation, "%.9g", row.validation);
  std::snprintf(text, sizeof text, "%llu,%.0f,%.9g,%s\n", static_cast<unsigned long long>(row.update),
                row.units, row.training, validation);
  return text;
}

double number_of(const std::string& field, const std::string& place) {
  try {
    std::size_t end = 0;
    const double value = std::stod(field, &end);
    if (end == field.size() && std::isfinite(value)) return value;
  } catch (const std::exception&) {  // said below
  }
  throw std::runtime_error(place + ": \"" + first_characters(field, 40) + "\" is not a number");
}

void write(const std::string& path, const std::string& text, std::ios::openmode mode) {
  std::ofstream file(path, mode | std::ios::binary);
  if (!(file << text) || !file.flush()) throw std::runtime_error("cannot write " + path);
}

}  // namespace

void History::add(const LossRow& row) {
  if (has_begun_) return write(path_, line_of(row), std::ios::app);
  std::string text = std::string(kFirst) + "," + unit_ + "," + kTraining + "," + kValidation + "\n";
  if (std::filesystem::exists(std::filesystem::u8path(path_)))
    for (const LossRow& before : read_history(path_))
      if (before.update < row.update) text += line_of(before);
  write(path_ + ".new", text + line_of(row), std::ios::trunc);
  std::filesystem::rename(std::filesystem::u8path(path_ + ".new"), std::filesystem::u8path(path_));
  has_begun_ = true;
}

void check_history(const std::string& path, bool goes_on) {
  check_writable(path);
  if (!std::filesystem::exists(std::filesystem::u8path(path))) return;
  if (!goes_on)
    throw std::runtime_error("--history: " + path + " is there already; with --resume a run goes on in it");
  read_history(path);
}

std::vector<LossRow> read_history(const std::string& path) {
  CsvReader reader(read_utf8(path), path);
  std::vector<std::string> fields;
  if (!reader.next(fields) || fields.size() != 4 || fields[0] != kFirst || fields[2] != kTraining ||
      fields[3] != kValidation)
    throw std::runtime_error(path + " is no history of losses, as rnn train --history writes it");
  std::vector<LossRow> rows;
  while (reader.next(fields)) {
    if (fields.size() != 4) throw std::runtime_error(reader.place() + " has no four fields");
    LossRow row;
    row.update = static_cast<std::uint64_t>(std::max(0.0, number_of(fields[0], reader.place())));
    row.units = number_of(fields[1], reader.place());
    row.training = number_of(fields[2], reader.place());
    if (!fields[3].empty()) row.validation = number_of(fields[3], reader.place());
    rows.push_back(row);
  }
  return rows;
}
