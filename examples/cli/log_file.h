// The log of a training: a chain of digests, which tells whether it was edited, and by which a training that is
// repeated is compared with it. A text, with a digest at the end of each line:
//
//   rnn-log 1 OPTIONS DIGEST              the version of the format, and the training as a JSON object
//   UPDATE PART PART PART PART PART DIGEST    a record: updates done; the digests of the parts options, data, weights,
//                                         optimizer and states, of which rnn_log_t says the bytes
//   ...
//   end UPDATE DIGEST                     the training was not stopped before its end
//
// Digests are SHA-256, in hexadecimal. That at the end of a line is of all bytes of the file before it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <rnn/rnn.hpp>
#include <string>
#include <vector>

#include "common.h"
#include "sha256.h"

constexpr std::array<const char*, 5> kLogParts = {"options", "data", "weights", "optimizer", "states"};
constexpr std::size_t kLogData = 1;

struct LogRecord {
  std::uint64_t update = 0;
  std::array<std::string, kLogParts.size()> digests;
};

// The names of the parts in which records differ, with the data or without; empty: in none.
std::string differences(const LogRecord& a, const LogRecord& b, bool with_data);

struct LogFile {
  // Throws std::runtime_error, with the number of the line, if it is not as it was written.
  explicit LogFile(const std::string& path);

  // "run.log, line 3"; of a record.
  std::string place(std::size_t record) const { return place_of_line(record + 2); }
  // The number of the record after so many updates. Throws std::runtime_error if there is none.
  std::size_t find(std::uint64_t update) const;

  std::string path;
  Json options;
  std::vector<LogRecord> records;  // one or more, in the order of their updates
  bool is_complete = false;        // there is an end
  Sha256 chain;                    // of all bytes

 private:
  std::string place_of_line(std::size_t line) const { return path + ", line " + std::to_string(line); }
  void read_line(std::string line, std::size_t number);
};

class LogWriter {
 public:
  // A new file. Throws std::runtime_error if there is one, and if it cannot be written.
  LogWriter(const std::string& path, const Json& options);
  // At the end of one.
  explicit LogWriter(const LogFile& file);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  void add(const LogRecord& record);
  void end(std::uint64_t update);
  // Waits until it is on the disk.
  void sync();

 private:
  void write_line(std::string line);

  const std::string path_;
  int file_;
  Sha256 chain_;
};

// What a trainer logs, as digests.
class TrainerDigests {
 public:
  TrainerDigests();
  TrainerDigests(const TrainerDigests&) = delete;
  TrainerDigests& operator=(const TrainerDigests&) = delete;

  // A record of the trainer as it is. From the first one on, data are digested.
  LogRecord record(rnn::Trainer& trainer);

 private:
  rnn_log_t log_;
  std::array<Sha256, kLogParts.size()> parts_;
  LogRecord record_;
};
