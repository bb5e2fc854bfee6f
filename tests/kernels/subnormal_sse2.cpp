#ifndef RNN_SOFTWARE_FLUSH
#define RNN_SOFTWARE_FLUSH
#endif
#if defined(__SSE2__)
#define RNN_FORMS forms_of_sse2
#include "tests/kernels/subnormal_forms.h"
#endif
