#include "capi/guard.h"

#include <exception>
#include <new>

#include "lib/network/error.h"

namespace rnn::capi {

[[gnu::noinline]] rnn_status_t run(const char* function,
                                   void (*body)(const void* object, kernels::FloatEnvironment&),
                                   const void* object) noexcept {
  kernels::FloatEnvironment environment;
  try {
    body(object, environment);
    return RNN_OK;
  } catch (const Error& error) {
    return fail_with(function, error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(function, RNN_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return fail(function, RNN_INTERNAL, "unexpected exception: %s", error.what());
  } catch (...) {
    return fail(function, RNN_INTERNAL, "unexpected exception");
  }
}

}  // namespace rnn::capi
