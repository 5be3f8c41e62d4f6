/* SPDX-License-Identifier: MIT */
/*
 * Where the configuration comes from: file, environment, flags, in that order
 * of growing weight. Secrets pass through here on their way into descriptors
 * and are never judged.
 */
#ifndef SUPERVISOR_CONFIG_H
#define SUPERVISOR_CONFIG_H

#include "conf.h"
#include "options.h"

struct config {
	struct options options;
	char file[1024];       /* the one that is read, or "" */
	int env_fd[CONF_KEYS]; /* secrets that stood in the environment */
	bool env_taken;
	bool unread; /* there is a file, and nothing of it is known */
};

void config_init(struct config *, const struct options *);
void config_clear(struct config *);

/*
 * Fills a conf that conf_init made; may be called again for a reload. All
 * faults stand in conf->faults, warnings in conf->warnings. 0 or -1.
 */
int config_load(struct config *, struct conf *);

/* Logs both lists, a line each. */
void config_report(const struct conf *);

/* Descriptors for tokend, -1: there is none. */
struct config_secrets {
	int secret;   /* SECRET_KEY_BASE */
	int previous; /* SECRET_KEY_BASE_PREVIOUS */
	int jwt_key;  /* PLUGBOARD_JWT_SECRET_FILE */
	int token;    /* TELEPHONE_TOKEN */
};
#define CONFIG_NO_SECRETS      \
	{                      \
		-1, -1, -1, -1 \
	}

/* Opens or duplicates them. 0, or -1 (logged, all of them -1). */
int config_secrets(const struct conf *, struct config_secrets *);
void config_close_secrets(struct config_secrets *);

/* The default of CONTROL_SOCKET in space; makes the directory where that is
 * ours to do. False when there is no safe place (logged). */
bool
config_control_path(const struct conf *, bool root, char *space, size_t size);

#endif
