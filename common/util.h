/* SPDX-License-Identifier: MIT */
/*
 * Small helpers without state: clocks, randomness, descriptors.
 */
#ifndef COMMON_UTIL_H
#define COMMON_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTIL_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Monotonic clock in milliseconds: for all deadlines and intervals. */
int64_t util_mono_ms(void);

/* The same in microseconds: for what is measured. */
int64_t util_mono_us(void);

/* Wall clock in milliseconds since 1970: for token expiry and log stamps. */
int64_t util_wall_ms(void);

/* The same in microseconds: for spans of traces. */
int64_t util_wall_us(void);

/* Fills buf from getrandom(2); never fails (it blocks only before boot ends,
 * and aborts the process when the kernel has no randomness at all). */
void util_random(void *buf, size_t len);

/* A uniform random number in [0, n), n > 0, from getrandom(2). */
uint32_t util_random_below(uint32_t n);

/* Sets O_NONBLOCK. Returns 0, or -1 with errno. */
int util_nonblock(int fd);

/* Descriptors 0 to 2 must be something: what is opened later would take their
 * place, and be written to. Opens /dev/null (with these flags of open) for
 * each that is closed. 0, or -1 with errno. */
int util_fill_stdio(int flags);

/* Closes *fd unless it is -1 and sets it to -1. Keeps errno. */
void util_close(int *fd);

/* Closes `first` and every descriptor above it; -1: the kernel refuses. Calls
 * close_range(2) itself, since musl has no function of that name. */
int util_close_from(int first);

/* Copies at most size-1 bytes and terminates; returns strlen(src), so that a
 * result >= size says that it was cut (as strlcpy). */
size_t util_strlcpy(char *dst, const char *src, size_t size);

/* True for a token of RFC 9110 §5.6.2: methods, names of header fields. */
bool util_is_token(const char *, size_t len);

/* Formats like snprintf; true when the whole text fitted. */
bool util_fmt(char *dst, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Compares two byte strings in time that depends only on len. */
bool util_equal_ct(const void *a, const void *b, size_t len);

/*
 * Writes the path of another of our executables to dst: "DIR/name" beside
 * this one, as in the build directory; or, when this one is installed, that
 * is DIR is "PREFIX/sbin", "PREFIX/libexec/telephone/name"; where DIR is
 * "PREFIX/bin" (systems that have but one), there or in "PREFIX/lib/telephone"
 * if it exists. 0, or -1 with errno.
 */
int util_sibling(char *dst, size_t size, const char *name);

#endif
