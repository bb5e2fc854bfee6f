#include "log_file.h"

#include <fcntl.h>
#include <nettle/version.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace {

const std::string kMagic = "rnn-log ";
constexpr int kVersion = 1;

bool is_digest(const std::string& text) {
  return text.size() == Sha256::kHexDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

bool read_number(const std::string& text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  return {std::istream_iterator<std::string>(stream), {}};
}

}  // namespace

std::string Sha256::hex() const {
  sha256_ctx state = state_;
  unsigned char digest[SHA256_DIGEST_SIZE];
#if NETTLE_VERSION_MAJOR >= 4
  sha256_digest(&state, digest);
#else
  sha256_digest(&state, sizeof digest, digest);
#endif
  std::string text;
  for (const unsigned char byte : digest) {
    text += "0123456789abcdef"[byte / 16];
    text += "0123456789abcdef"[byte % 16];
  }
  return text;
}

std::string differences(const LogRecord& a, const LogRecord& b, bool with_data) {
  std::string names;
  for (std::size_t i = 0; i < kLogParts.size(); ++i)
    if (a.digests[i] != b.digests[i] && (with_data || i != kLogData))
      names += (names.empty() ? "" : ", ") + std::string(kLogParts[i]);
  return names;
}

// ---- Reading -------------------------------------------------------------------------------------

LogFile::LogFile(const std::string& path) : path(path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path + ": " + std::strerror(errno));
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    if (number == 1 && line.rfind(kMagic, 0) != 0)
      throw std::runtime_error(path + " is no log of rnn train: it does not begin with " + kMagic);
    if (file.eof()) throw std::runtime_error(place_of_line(number) + ": the end of the line is missing");
    if (is_complete) throw std::runtime_error(place_of_line(number) + ": there is a line behind the end");
    read_line(line, number);
  }
  if (file.bad()) throw std::runtime_error("cannot read " + path);
  if (records.empty()) throw std::runtime_error(path + ": there is no record");
}

// The version first: another one may have other lines.
void LogFile::read_line(std::string line, std::size_t number) {
  const auto fail = [&](const std::string& what) {
    throw std::runtime_error(place_of_line(number) + ": " + what);
  };
  if (number == 1) {
    std::uint64_t version = 0;
    const std::string given = line.substr(kMagic.size(), line.find(' ', kMagic.size()) - kMagic.size());
    if (!read_number(given, version) || version == 0) fail("there is no version behind " + kMagic);
    if (version != kVersion)
      fail("the log has version " + given + "; this program reads version " + std::to_string(kVersion));
  }
  const std::size_t split = line.rfind(' ');
  if (split == line.npos || !is_digest(line.substr(split + 1))) fail("there is no digest at the end");
  const std::string digest = line.substr(split + 1);
  line.resize(split + 1);
  chain.add(line);
  if (chain.hex() != digest)
    fail(
        "the digest at its end is not that of the file before it: this line was changed, or one before it "
        "was "
        "removed, added or moved");
  chain.add(digest + "\n");

  if (number == 1) {
    const std::size_t begin = line.find('{');
    options = Json::parse(begin != line.npos ? line.substr(begin) : "", nullptr, false);
    if (!options.is_object()) fail("the options are no JSON object");
    return;
  }
  const std::vector<std::string> words = words_of(line);
  LogRecord record;
  if (words.size() == 2 && words[0] == "end" && read_number(words[1], record.update)) {
    if (records.empty() || records.back().update != record.update)
      fail("the end is not that of the record before it");
    is_complete = true;
    return;
  }
  if (words.size() != 1 + kLogParts.size() || !read_number(words[0], record.update) ||
      !std::all_of(words.begin() + 1, words.end(), is_digest))
    fail("it is no record: an update and " + std::to_string(kLogParts.size()) + " digests");
  if (!records.empty() && record.update <= records.back().update)
    fail("update " + words[0] + " is not behind that of the record before it");
  std::copy(words.begin() + 1, words.end(), record.digests.begin());
  records.push_back(record);
}

std::size_t LogFile::find(std::uint64_t update) const {
  const auto found =
      std::lower_bound(records.begin(), records.end(), update,
                       [](const LogRecord& record, std::uint64_t u) { return record.update < u; });
  if (found != records.end() && found->update == update)
    return static_cast<std::size_t>(found - records.begin());
  const bool both = found != records.begin() && found != records.end();
  std::string near;
  if (found != records.begin()) near = std::to_string((found - 1)->update);
  if (found != records.end()) near += (near.empty() ? "" : " and ") + std::to_string(found->update);
  throw std::runtime_error(path + " has no record of update " + std::to_string(update) +
                           (both ? "; the nearest are of " : "; the nearest is of ") + near);
}

// ---- Writing -------------------------------------------------------------------------------------

LogWriter::LogWriter(const std::string& path, const Json& options)
    : path_(path), file_(open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
  if (file_ < 0) throw std::runtime_error("cannot write " + path_ + ": " + std::strerror(errno));
  write_line(kMagic + std::to_string(kVersion) + " " + options.dump(-1, ' ', true));
}

LogWriter::LogWriter(const LogFile& file)
    : path_(file.path), file_(open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)), chain_(file.chain) {
  if (file_ < 0) throw std::runtime_error("cannot write " + path_ + ": " + std::strerror(errno));
}

LogWriter::~LogWriter() { close(file_); }

void LogWriter::add(const LogRecord& record) {
  std::string line = std::to_string(record.update);
  for (const std::string& digest : record.digests) line += " " + digest;
  write_line(line);
}

void LogWriter::end(std::uint64_t update) { write_line("end " + std::to_string(update)); }

void LogWriter::sync() {
  if (fdatasync(file_) != 0 && errno != EINVAL)  // a pipe has no disk
    throw std::runtime_error("cannot write " + path_ + ": " + std::strerror(errno));
}

void LogWriter::write_line(std::string line) {
  line += " ";
  chain_.add(line);
  const std::string end = chain_.hex() + "\n";
  chain_.add(end);
  line += end;
  for (std::size_t written = 0; written < line.size();) {
    const ssize_t more = write(file_, line.data() + written, line.size() - written);
    if (more < 0 && errno == EINTR) continue;
    if (more <= 0) throw std::runtime_error("cannot write " + path_ + ": " + std::strerror(errno));
    written += static_cast<std::size_t>(more);
  }
}

// ---- Digests -------------------------------------------------------------------------------------

TrainerDigests::TrainerDigests() : log_(rnn::sized<rnn_log_t>()) {
  log_.write = [](std::int32_t part, const void* bytes, std::size_t size, void* self) {
    static_cast<TrainerDigests*>(self)->parts_[static_cast<std::size_t>(part) - RNN_LOG_OPTIONS].add(bytes,
                                                                                                     size);
  };
  log_.record = [](std::uint64_t update, void* user) {
    auto& self = *static_cast<TrainerDigests*>(user);
    self.record_.update = update;
    for (std::size_t i = 0; i < kLogParts.size(); ++i) self.record_.digests[i] = self.parts_[i].hex();
    self.parts_ = {};
  };
  log_.user = this;
}

LogRecord TrainerDigests::record(rnn::Trainer& trainer) {
  trainer.log(&log_);
  return record_;
}
