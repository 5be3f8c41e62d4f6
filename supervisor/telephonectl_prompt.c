/* SPDX-License-Identifier: MIT */
/* The terminal of telephonectl_prompt.h. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "telephonectl_prompt.h"
#include "util.h"

#define END_OF_FILE 4 /* Ctrl-D */
#define ERASE 0x7f
#define BACKSPACE 8
#define KILL 0x15 /* Ctrl-U */

/* Each would leave the terminal silent. Ctrl-Z is not heard. */
static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static volatile sig_atomic_t caught;

static void
on_signal(int sig)
{
	caught = sig;
}

static void
watch_signals(struct sigaction *before)
{
	struct sigaction catch = {.sa_handler = on_signal};
	size_t i;

	/* No SA_RESTART: the read is what they end. */
	for (i = 0; i < UTIL_COUNT(signals); i++)
		(void)sigaction(signals[i], &catch, &before[i]);
}

static void
restore_signals(const struct sigaction *before)
{
	size_t i;

	for (i = 0; i < UTIL_COUNT(signals); i++)
		(void)sigaction(signals[i], &before[i], NULL);
}

/* False: this was the end of the line. */
static bool
take(char c, char *text, size_t size, size_t *len)
{
	if (c == '\n' || c == '\r' || c == END_OF_FILE)
		return false;
	if (c == KILL)
		*len = 0;
	else if (c != ERASE && c != BACKSPACE) {
		if (*len < size - 1)
			text[(*len)++] = c;
	} else if (*len > 0)
		(*len)--;
	return true;
}

static size_t
read_line(char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;
	char c;

	while (caught == 0) {
		n = read(STDIN_FILENO, &c, 1);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0 || !take(c, text, size, &len))
			break;
	}
	return len;
}

size_t
prompt_read(const char *prompt, char *text, size_t size)
{
	struct sigaction before[UTIL_COUNT(signals)];
	struct termios loud, quiet;
	size_t len;

	if (tcgetattr(STDIN_FILENO, &loud) == -1)
		return 0;
	watch_signals(before);
	(void)signal(SIGTSTP, SIG_IGN);
	(void)fputs(prompt, stderr);
	quiet = loud;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	quiet.c_cc[VMIN] = 1;
	quiet.c_cc[VTIME] = 0;
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	len = read_line(text, size);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &loud);
	(void)fputs("\n", stderr);
	(void)signal(SIGTSTP, SIG_DFL);
	restore_signals(before);
	if (caught != 0)
		(void)raise(caught);
	return len;
}
