// Keys and values of language models lie in pages.
#pragma once
#include <cstdint>

namespace millrace {

// Tokens of a page.
constexpr int64_t kPage = 16;

}  // namespace millrace
