/* SPDX-License-Identifier: MIT */
/*
 * The orders of attack.h. Before main() they are read from the file "attacks"
 * beside the executable, one a line. At SIGUSR1, sent with sigqueue(3), the
 * line whose number came with the signal is carried out, in whatever walls
 * stand by then. A line that begins with `asked` is carried out in the fork
 * that asks name servers, as if one of them had taken it over.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attack.h"
#include "util.h"

#define WORDS_MAX 10

/* A meta test looks for it where it may not be. */
static const char mark[] = "attack build: not for use";

static char orders[64 * 1024];

bool attack_is_tokend;
uint8_t attack_zeroes[ATTACK_ZEROES];

void
attack_say(const char *what, long result, int error)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "attack: %s = %ld %s\n", what,
	    result, result < 0 ? strerrorname_np(error) : "");

	if (n > 0)
		(void)!write(STDERR_FILENO, line, (size_t)n);
}

long
attack_argument(const char *word)
{
	if (word == NULL)
		return 0;
	if (word[0] == '@')
		return (long)(word + 1);
	if (word[0] == '#')
		return (long)attack_zeroes;
	return strtol(word, NULL, 0);
}

/* --- orders --------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*carry_out)(char **);
} attacks[] = {
    {"call", attack_call},
    {"frame", attack_frame},
    {"hello", attack_hello},
    {"hold", attack_hold},
    {"connect", attack_connect},
    {"spin", attack_spin},
    {"linger", attack_linger},
    {"listener", attack_listener},
    {"stay", attack_stay},
    {"bomb", attack_bomb},
    {"send", attack_send},
    {"puts", attack_puts},
};

/* One line, up to its end or the file's. */
static void
carry_out(const char *at)
{
	static char line[4096];
	char *words[WORDS_MAX] = {NULL}, *save = NULL;
	size_t i;

	(void)snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
	words[0] = strtok_r(line, " ", &save);
	for (i = 1; i < WORDS_MAX && words[i - 1] != NULL; i++)
		words[i] = strtok_r(NULL, " ", &save);
	for (i = 0; words[0] != NULL && i < UTIL_COUNT(attacks); i++)
		if (strcmp(attacks[i].name, words[0]) == 0)
			attacks[i].carry_out(words);
}

static const char *
next_line(const char *at)
{
	at = strchr(at, '\n');
	return at == NULL ? NULL : at + 1;
}

static void
on_order(int sig, siginfo_t *info, void *context)
{
	const char *at = orders;
	int n = info->si_value.sival_int;

	(void)sig;
	(void)context;
	for (; n > 0 && at != NULL; n--)
		at = next_line(at);
	if (at != NULL)
		carry_out(at);
}

/* Stands before the C library's. The helper alone asks for what this machine
 * has addresses for. */
int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
    struct addrinfo **list)
{
	int (*real)(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **);
	void *found = dlsym(RTLD_NEXT, "getaddrinfo");
	const char *at;

	memcpy(&real, &found, sizeof(real));
	if (hints != NULL && hints->ai_flags == AI_ADDRCONFIG)
		for (at = orders; at != NULL; at = next_line(at))
			if (strncmp(at, "asked ", 6) == 0)
				carry_out(at + 6);
	return real(node, service, hints, list);
}

__attribute__((constructor)) static void
turn_coat(void)
{
	char path[PATH_MAX];
	struct sigaction sa;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 16);
	char *name;
	int fd;

	if (n <= 0)
		return;
	path[n] = '\0';
	name = strrchr(path, '/') + 1;
	attack_is_tokend = strcmp(name, "tokend") == 0;
	(void)util_strlcpy(name, "attacks", sizeof("attacks"));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return;
	(void)!read(fd, orders, sizeof(orders) - 1);
	(void)close(fd);
	(void)!write(STDERR_FILENO, mark, sizeof(mark) - 1);
	(void)!write(STDERR_FILENO, "\n", 1);
	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = on_order;
	sa.sa_flags = SA_SIGINFO | SA_RESTART;
	(void)sigaction(SIGUSR1, &sa, NULL);
}
