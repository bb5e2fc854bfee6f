#include "kinds.h"

#include <stdexcept>

#include "../model_file.h"
#include "labels.h"
#include "series.h"

ModelKind kind_of(const rnn::Network& network) {
  if (has_metadata(network, kSeriesKey)) return ModelKind::kSeries;
  if (has_metadata(network, kLabelsKey)) return ModelKind::kLabels;
  return has_metadata(network, kVocabularyKey) ? ModelKind::kText : ModelKind::kOther;
}

std::string name_of_kind(ModelKind kind) {
  switch (kind) {
    case ModelKind::kText:
      return "a text";
    case ModelKind::kLabels:
      return "labelled texts";
    case ModelKind::kSeries:
      return "a series";
    case ModelKind::kOther:
      break;
  }
  return "";
}

void check_text_model(const rnn::Network& network, const std::string& path) {
  const ModelKind kind = kind_of(network);
  if (kind == ModelKind::kSeries || kind == ModelKind::kLabels)
    throw std::runtime_error(path + " is a model of " + name_of_kind(kind) +
                             ", not of the characters of a text; rnn predict and rnn eval are for it");
}
