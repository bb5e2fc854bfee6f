// One optimiser update of an array of parameters, against the formulas in double.
#include <limits>

#include "tests/kernels/kernels_test.h"

namespace rnn::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Update make(Rule rule, float momentum, bool nesterov, float decay) {
  Update u = {};
  u.rule = rule;
  u.nesterov = nesterov;
  u.rate = 0.05f;
  u.momentum = momentum;
  u.beta1 = 0.9f;
  u.beta2 = 0.99f;
  u.epsilon = 1e-3f;
  u.decay = decay;
  u.gradient_scale = 0.7f;
  u.clip_value = 0.5f;
  return u;
}

// What update-inl.h says, for one parameter.
void reference(const Update& u, double& p, double g, double& m, double& v) {
  g = std::clamp(g * u.gradient_scale, -static_cast<double>(u.clip_value), static_cast<double>(u.clip_value));
  if (u.rule == Rule::adamw) {
    p -= u.decay * p;
  } else {
    g += u.decay * p;
  }
  switch (u.rule) {
    case Rule::adam:
    case Rule::adamw:
      m = u.beta1 * m + (1 - u.beta1) * g;
      v = u.beta2 * v + (1 - u.beta2) * g * g;
      p -= u.rate * m / (std::sqrt(v) + u.epsilon);
      break;
    case Rule::sgd:
      m = u.momentum * m + g;
      p -= u.rate * (u.nesterov ? g + u.momentum * m : m);
      break;
    case Rule::adagrad:
      v += g * g;
      p -= u.rate * g / (std::sqrt(v) + u.epsilon);
      break;
    case Rule::rmsprop:
      v = u.beta2 * v + (1 - u.beta2) * g * g;
      m = u.momentum * m + g / (std::sqrt(v) + u.epsilon);
      p -= u.rate * m;
      break;
  }
}

struct NamedUpdate {
  const char* name;
  Update update;
};

const NamedUpdate kUpdates[] = {
    {"adam", make(Rule::adam, 0, false, 0)},
    {"adam_decay", make(Rule::adam, 0, false, 0.01f)},
    {"adamw", make(Rule::adamw, 0, false, 0.01f)},
    {"sgd", make(Rule::sgd, 0, false, 0)},
    {"sgd_decay", make(Rule::sgd, 0, false, 0.01f)},
    {"sgd_momentum", make(Rule::sgd, 0.8f, false, 0.01f)},
    {"sgd_nesterov", make(Rule::sgd, 0.8f, true, 0)},
    {"adagrad", make(Rule::adagrad, 0, false, 0.01f)},
    {"rmsprop", make(Rule::rmsprop, 0, false, 0)},
    {"rmsprop_momentum", make(Rule::rmsprop, 0.8f, false, 0.01f)},
};

class UpdateTest : public testing::TestWithParam<NamedUpdate> {};
INSTANTIATE_TEST_SUITE_P(All, UpdateTest, testing::ValuesIn(kUpdates),
                         [](const auto& info) { return std::string(info.param.name); });

// Arrays of n parameters whose state has been through ten updates; u as given.
std::vector<float> run(const Table& table, Update u, std::size_t n) {
  std::mt19937 random(11);
  Array p(n), m(n), v(n), g(n);
  fill(p, random);
  std::vector<double> exact_p(p.begin(), p.end()), exact_m(n), exact_v(n);
  for (int update = 0; update < 10; ++update) {
    if (update == 5) u.clip_value = kInfinity;  // off
    fill(g, random);
    table.update(u, n, p.data(), g.data(), m.data(), v.data());
    for (std::size_t i = 0; i < n; ++i) reference(u, exact_p[i], g[i], exact_m[i], exact_v[i]);
  }
  for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(p[i], exact_p[i], 2e-6) << table.name << ", n " << n;
  std::vector<float> all(p.begin(), p.end());
  all.insert(all.end(), m.begin(), m.end());
  all.insert(all.end(), v.begin(), v.end());
  return all;
}

TEST_P(UpdateTest, FollowsTheFormula) {
  for (const std::size_t n : {16u, 32u, 48u, 1008u}) {
    std::vector<float> first;
    for (const Table* table : tables()) {
      const std::vector<float> all = run(*table, GetParam().update, n);
      if (first.empty()) first = all;
      ASSERT_TRUE(same_bits(all.data(), first.data(), first.size())) << table->name;
    }
  }
}

// Padding: where parameter, gradient and state are zero they stay zero.
TEST_P(UpdateTest, KeepsPaddingZero) {
  for (const Table* table : tables()) {
    Array p(32), m(32), v(32), g(32);
    for (int update = 0; update < 3; ++update)
      table->update(GetParam().update, 32, p.data(), g.data(), m.data(), v.data());
    for (const Array* array : {&p, &m, &v})
      for (const float value : *array) ASSERT_EQ(value, 0.0f) << table->name;
  }
}

// State arrays that a rule has no use for may be absent.
TEST(UpdateKernel, NeedsOnlyTheStateOfItsRule) {
  for (const Table* table : tables()) {
    Array p(16, 1.0f), g(16, 0.25f), v(16);
    table->update(make(Rule::sgd, 0, false, 0), 16, p.data(), g.data(), nullptr, nullptr);
    table->update(make(Rule::adagrad, 0, false, 0), 16, p.data(), g.data(), nullptr, v.data());
    table->update(make(Rule::rmsprop, 0, false, 0), 16, p.data(), g.data(), nullptr, v.data());
    for (const float value : p) EXPECT_LT(value, 1.0f);
  }
}

// A gradient that is not a number must not be limited into one.
TEST(UpdateKernel, ClippingPassesNaN) {
  for (const Table* table : tables()) {
    Array p(16, 1.0f), g(16, std::nanf(""));
    table->update(make(Rule::sgd, 0, false, 0), 16, p.data(), g.data(), nullptr, nullptr);
    for (const float value : p) EXPECT_TRUE(std::isnan(value)) << table->name;
  }
}

}  // namespace
}  // namespace rnn::kernels
