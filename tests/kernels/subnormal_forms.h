// What single operations make of triples, most of which have subnormal numbers. The including unit defines RNN_FORMS,
// the function's name, and RNN_SCALAR and RNN_SOFTWARE_FLUSH or not: all is of this unit alone.
#include "lib/kernels/simd-inl.h"
#include "tests/kernels/subnormals.h"

namespace rnn::kernels {

std::vector<float> RNN_FORMS(const Triples& t) {
  using V = Vec<Baseline>;
  std::vector<float> out;
  const auto keep = [&](const V& v) {
    float x[V::size];
    v.store_unaligned(x);
    out.insert(out.end(), x, x + V::size);
  };
  const auto keep_real = [&](Real x) { out.push_back(static_cast<float>(x)); };
  for (std::size_t i = 0; i + V::size <= t.a.size(); i += V::size) {
    const V a = load<Baseline>(&t.a[i]), b = load<Baseline>(&t.b[i]), c = load<Baseline>(&t.c[i]);
    keep(a + b);
    keep(a - c);
    keep(a * b);
    keep(vdiv<Baseline>(a, b));
    keep(vsqrt<Baseline>(a));
    keep(vmin<Baseline>(a, b) + c);  // by itself it may pass a subnormal on
    keep(vmax<Baseline>(a, b) + c);
    keep(vfma<Baseline>(a, b, c));
    keep(vfms<Baseline>(a, b, c));
    keep(vfnma<Baseline>(a, b, c));
    keep(vselect<Baseline>(a < b, V(1.0f), V(2.0f)));
    keep(vselect<Baseline>(a <= b, V(1.0f), V(2.0f)));
    keep(vselect<Baseline>(a == c, V(1.0f), V(2.0f)));
    using T = Terms<Baseline>;
    keep(T::add(b, c, T::add(a, b, c)));
    const V upper =
        vfrom_bits<Baseline>(vbits<Baseline>(a) & IntVec<Baseline>(static_cast<std::int32_t>(0xffff0000)));
    const V lower =
        vfrom_bits<Baseline>(vbits<Baseline>(b) & IntVec<Baseline>(static_cast<std::int32_t>(0xffff0000)));
    keep(T::add_bf16(upper, lower, c));
    keep_real(Real(t.a[i]) + Real(t.b[i]));
    keep_real(Real(t.a[i]) - Real(t.b[i]));
    keep_real(Real(t.a[i]) * Real(t.b[i]));
    keep_real(Real(t.a[i]) / Real(t.b[i]));
    out.push_back(narrowed(widened(t.a[i]) * 0x1.0000001p0 + 0x1p-152));
  }
  return out;
}

}  // namespace rnn::kernels
