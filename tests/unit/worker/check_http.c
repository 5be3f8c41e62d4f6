/* SPDX-License-Identifier: MIT */
/* Unit tests of worker/http.h: its turn in a loop that always has more to do.
 */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "http.h"
#include "loop.h"

#define BUSY 16 /* with the rest less than one epoll_wait(2) of libevent */
#define TURNS_MAX 20

static struct event_base *base;
static struct http *http;
static struct sockaddr_in address;
static struct event *busy[BUSY];
static int busy_fd[BUSY];
static unsigned worked, before; /* all in all, before the request's turn */

static void
on_request(const struct http_head *head, struct http_answer *a, void *arg)
{
	(void)arg;
	before = worked;
	a->status = strcmp(head->path, "/here") == 0 ? 200 : 404;
}

/* It stays readable: there is always more. */
static void
on_busy(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	worked++;
}

static void
setup(void)
{
	struct http_params params = {.answer = on_request};
	socklen_t len = sizeof(address);
	int i;

	base = event_base_new();
	ck_assert_int_eq(event_base_priority_init(base, 2), 0);
	params.base = base;
	params.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(
	    bind(params.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(params.fd, 8), 0);
	ck_assert_int_eq(
	    getsockname(params.fd, (struct sockaddr *)&address, &len), 0);
	for (i = 0; i < BUSY; i++) {
		busy_fd[i] = eventfd(1, EFD_NONBLOCK);
		busy[i] = event_new(
		    base, busy_fd[i], EV_READ | EV_PERSIST, on_busy, NULL);
		ck_assert_int_eq(event_add(busy[i], NULL), 0);
	}
	http = http_create(&params);
	ck_assert_ptr_nonnull(http);
	worked = 0;
	before = BUSY * TURNS_MAX;
}

static void
teardown(void)
{
	int i;

	http_free(http);
	for (i = 0; i < BUSY; i++) {
		event_free(busy[i]);
		close(busy_fd[i]);
	}
	event_base_free(base);
}

/* All that is ready has its turn once. */
static int
turn(void)
{
	return event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* Sends the request and turns the loop until it is answered. */
static void
ask(const char *request, char *answer, size_t size)
{
	int i, fd = socket(AF_INET, SOCK_STREAM, 0);
	ssize_t n = -1;

	ck_assert_int_eq(
	    connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(
	    write(fd, request, strlen(request)), (int)strlen(request));
	for (i = 0; i < TURNS_MAX && n <= 0; i++) {
		ck_assert_int_ge(turn(), 0);
		n = recv(fd, answer, size - 1, MSG_DONTWAIT);
	}
	answer[n > 0 ? n : 0] = '\0';
	close(fd);
}

/* Accepted, read and answered before anything else has its turn. */
START_TEST(a_probe_goes_before_all_others)
{
	char answer[1024];

	ask("GET /here HTTP/1.1\r\n\r\n", answer, sizeof(answer));
	ck_assert_msg(
	    strncmp(answer, "HTTP/1.1 200 OK\r\n", 17) == 0, "%s", answer);
	ck_assert_uint_eq(before, 0);
}
END_TEST

START_TEST(the_rest_has_its_turn_after_it)
{
	char answer[1024];

	ask("GET /nowhere HTTP/1.1\r\n\r\n", answer, sizeof(answer));
	ck_assert_msg(strncmp(answer, "HTTP/1.1 404 Not Found\r\n", 24) == 0,
	    "%s", answer);
	ck_assert_int_ge(turn(), 0);
	ck_assert_uint_ge(worked, BUSY);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("http");
	TCase *tc = tcase_create("http");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_probe_goes_before_all_others);
	tcase_add_test(tc, the_rest_has_its_turn_after_it);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
