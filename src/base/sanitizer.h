/* base/sanitizer.h - which sanitizer this is built with, as gcc and clang each say it.
 * SPDX-License-Identifier: MIT */
#pragma once

#ifdef __has_feature
#define SANITIZER_HAS_FEATURE(x) __has_feature(x)
#else
#define SANITIZER_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SANITIZER_HAS_FEATURE(address_sanitizer)
#define HAS_ADDRESS_SANITIZER 1
#else
#define HAS_ADDRESS_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__) || SANITIZER_HAS_FEATURE(thread_sanitizer)
#define HAS_THREAD_SANITIZER 1
#else
#define HAS_THREAD_SANITIZER 0
#endif
