/* SPDX-License-Identifier: MIT */
/* What the files of conf.h share, and nobody else needs. */
#ifndef COMMON_CONF_VALUE_H
#define COMMON_CONF_VALUE_H

#include "conf.h"

/* Sets a key to its default, or unsets it. */
void conf_set_default(struct conf *, enum conf_id);

/*
 * Judges a text by a key's row. NULL and *num set, or what is wrong with it,
 * formatted into space.
 */
#define CONF_FAULT_MAX 256
const char *conf_judge(const struct conf_key *, const char *text, int64_t *num,
    char space[CONF_FAULT_MAX]);

#endif
