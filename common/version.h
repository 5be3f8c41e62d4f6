/* SPDX-License-Identifier: MIT */
#ifndef COMMON_VERSION_H
#define COMMON_VERSION_H

/* From `git describe` or the VERSION file, by way of the Makefile, which
 * writes version.c into the build directory. */
extern const char version[];

#endif
