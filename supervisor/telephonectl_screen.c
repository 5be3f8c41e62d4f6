/* SPDX-License-Identifier: MIT */
/* The terminal of telephonectl_screen.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "buf.h"
#include "telephonectl_frame.h"
#include "telephonectl_screen.h"
#include "util.h"

/* Alternate screen, no cursor, no wrapping at the last column. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[0m\033[?7h\033[?25h\033[?1049l"
#define CONTROL_D 4

/* A terminal that takes nothing for so long (Ctrl-S, a line that is down) gets
 * no more of this frame. */
#define WRITE_MS 200

static struct termios cooked;
static bool is_open, is_raw;
static int pipe_fd[2] = {-1, -1};
static volatile sig_atomic_t quit_signal, wants_stop, is_back, is_resized;

/* --- signals -------------------------------------------------------------- */

static void
on_signal(int sig)
{
	int error = errno;

	if (sig == SIGWINCH)
		is_resized = 1;
	else if (sig == SIGCONT)
		is_back = 1;
	else if (sig == SIGTSTP)
		wants_stop = 1;
	else
		quit_signal = sig;
	(void)!write(pipe_fd[1], "", 1); /* full: it is readable anyway */
	errno = error;
}

static const int signals[] = {
    SIGWINCH, SIGCONT, SIGTSTP, SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void
take_signal(int sig, void (*handler)(int))
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa)); /* no SA_RESTART: a write must end */
	sa.sa_handler = handler;
	(void)sigemptyset(&sa.sa_mask);
	(void)sigaction(sig, &sa, NULL);
}

/* --- the terminal --------------------------------------------------------- */

static bool
may_write(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&p, 1, WRITE_MS) == 1 && (p.revents & POLLOUT) != 0;
}

/* All of it, unless a signal wants to end this or the terminal stands still.
 */
static void
put(const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len > 0 && may_write()) {
		n = write(STDOUT_FILENO, p, len);
		if (n == -1 && errno != EINTR)
			return;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (quit_signal != 0)
			return;
	}
}

static int
enter(void)
{
	struct termios raw = cooked;

	/* Signals stay the terminal's: they are what is asked for. */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) == -1)
		return -1;
	is_raw = true;
	put(ENTER, strlen(ENTER));
	return 0;
}

static void
leave(void)
{
	if (!is_raw)
		return;
	is_raw = false;
	/* After Ctrl-S, which this alone undoes: what TCOOFF has stopped. */
	(void)tcflow(STDOUT_FILENO, TCOOFF);
	(void)tcflow(STDOUT_FILENO, TCOON);
	put(LEAVE, strlen(LEAVE));
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
}

bool
screen_is_there(void)
{
	const char *term = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term != NULL &&
	    term[0] != '\0' && strcmp(term, "dumb") != 0;
}

int
screen_open(void)
{
	size_t i;

	if (tcgetattr(STDIN_FILENO, &cooked) == -1)
		return -1;
	if (pipe2(pipe_fd, O_CLOEXEC | O_NONBLOCK) == -1)
		return -1;
	is_open = true;
	for (i = 0; i < UTIL_COUNT(signals); i++)
		take_signal(signals[i], on_signal);
	return enter();
}

void
screen_close(void)
{
	size_t i;

	if (!is_open)
		return;
	is_open = false;
	leave();
	for (i = 0; i < UTIL_COUNT(signals); i++)
		take_signal(signals[i], SIG_DFL);
	util_close(&pipe_fd[0]);
	util_close(&pipe_fd[1]);
}

int
screen_signal_fd(void)
{
	return pipe_fd[0];
}

void
screen_size(unsigned *rows, unsigned *columns)
{
	struct winsize size = {.ws_row = 0};

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*rows = size.ws_row > 0 ? size.ws_row : 24;
	*columns = size.ws_col > 0 ? size.ws_col : 80;
}

/* --- events --------------------------------------------------------------- */

/* Ctrl-Z: the terminal is the shell's until we are continued. */
static void
stop(void)
{
	leave();
	take_signal(SIGTSTP, SIG_DFL);
	(void)raise(SIGTSTP);
	take_signal(SIGTSTP, on_signal);
}

/* True: it says to quit. */
static bool
read_keys(void)
{
	char keys[64];
	ssize_t i, n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n == 0 || (n == -1 && errno != EINTR && errno != EAGAIN))
		return true; /* the terminal is gone */
	for (i = 0; i < n; i++)
		if (keys[i] == 'q' || keys[i] == 'Q' || keys[i] == CONTROL_D)
			return true;
	return false;
}

static bool
take_flag(volatile sig_atomic_t *flag)
{
	bool was = *flag != 0;

	*flag = 0;
	return was;
}

enum screen_event
screen_read(bool has_input, int *code)
{
	char bytes[64];
	bool redraw;

	while (read(pipe_fd[0], bytes, sizeof(bytes)) > 0)
		;
	*code = EX_OK;
	if (quit_signal != 0) {
		*code = quit_signal == SIGINT ? EX_OK : 128 + (int)quit_signal;
		return SCREEN_QUIT;
	}
	if (take_flag(&wants_stop)) {
		stop();
		is_back = 1;
	}
	redraw = take_flag(&is_resized);
	if (take_flag(&is_back)) { /* a shell has had it meanwhile */
		(void)enter();
		redraw = true;
	}
	if (has_input && read_keys())
		return SCREEN_QUIT;
	return redraw ? SCREEN_REDRAW : SCREEN_NOTHING;
}

/* --- drawing -------------------------------------------------------------- */

void
screen_draw(const struct frame *f)
{
	static struct buf out = {.max = 8u << 20};
	unsigned i;

	buf_reset(&out);
	for (i = 0; i < f->count; i++) {
		/* Erased first: with the cursor behind the last column some
		 * terminals would erase what stands there. */
		(void)buf_printf(&out, "\033[%u;1H\033[K%s", i + 1,
		    f->line[i].heading ? "\033[1m" : "");
		(void)buf_append(
		    &out, f->text.data + f->line[i].at, f->line[i].len);
		if (f->line[i].heading)
			(void)buf_puts(&out, "\033[0m");
	}
	if (f->count < f->rows)
		(void)buf_printf(&out, "\033[%u;1H\033[J", f->count + 1);
	if (!out.failed)
		put(out.data, out.len);
}
