/* SPDX-License-Identifier: MIT */
/*
 * Unit tests of common/peer.h. `near` is the peer under test, a supervisor's
 * connection to a worker; `far` is the other end, a bare socket, so that it
 * can say what no peer would.
 */
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc.h"
#include "log.h"
#include "peer.h"
#include "util.h"

#define BIG 8000 /* a payload of which the socket takes a dozen */

static struct event_base *base;
static struct peer *near;
static int far, near_fd;
static uint8_t space[IPC_FRAME_MAX];

/* What the callbacks saw, and what they shall do. */
static struct {
	int frames, ends;
	uint16_t type;
	uint32_t id, len;
	const uint8_t *payload;
	uint8_t first;
	enum peer_end end;
	int error;
	int fd;		 /* the last descriptor seen */
	bool take;	 /* keep it */
	bool free_frame; /* free the peer in on_frame */
	bool free_end;	 /* … in on_end */
	int answers;	 /* messages sent from inside on_frame */
	bool sending;	 /* the test is inside peer_send */
} seen;

static void
on_frame(struct peer *p, struct ipc_frame *f, void *arg)
{
	ck_assert_ptr_eq(p, near);
	ck_assert_ptr_eq(arg, &seen);
	ck_assert(!seen.sending);
	ck_assert_int_eq(seen.ends, 0);
	seen.frames++;
	seen.type = f->type;
	seen.id = f->id;
	seen.len = f->len;
	seen.payload = f->payload;
	seen.first = f->len > 0 ? f->payload[0] : 0;
	seen.fd = f->fd;
	if (seen.take)
		f->fd = -1;
	while (seen.answers > 0) {
		seen.answers--;
		peer_send_empty(p, PROTO_STATUS, f->id);
	}
	if (seen.free_frame) {
		peer_free(p);
		near = NULL;
	}
}

static void
on_end(struct peer *p, enum peer_end end, void *arg)
{
	int error = errno;

	ck_assert_ptr_eq(p, near);
	ck_assert_ptr_eq(arg, &seen);
	ck_assert(!seen.sending);
	seen.ends++;
	seen.end = end;
	seen.error = error;
	if (seen.free_end) {
		peer_free(p);
		near = NULL;
	}
}

static const struct peer_ops ops = {on_frame, on_end};

static void
start(enum proto_role self, enum proto_role other)
{
	struct peer_params params = {
	    .base = base, .self = self, .other = other, .ops = &ops};
	int sv[2];

	ck_assert_int_eq(ipc_pair(sv), 0);
	params.fd = sv[0];
	params.arg = &seen;
	near_fd = sv[0];
	far = sv[1];
	near = peer_create(&params);
}

/* The log goes into a socket, one message a line. */
static int listener;

static void
setup(void)
{
	int sv[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	ck_assert_int_eq(dup2(sv[0], STDERR_FILENO), STDERR_FILENO);
	close(sv[0]);
	listener = sv[1];
	log_init("check", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	memset(&seen, 0, sizeof(seen));
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	start(PROTO_SUPERVISOR, PROTO_WORKER);
	peer_set_state(near, PROTO_RUNNING);
}

static void
teardown(void)
{
	peer_free(near);
	near = NULL;
	util_close(&far);
	event_base_free(base);
	close(listener);
}

static const char *
heard(void)
{
	static char line[4096];
	ssize_t n = recv(listener, line, sizeof(line) - 1, MSG_DONTWAIT);

	line[n > 0 ? n : 0] = '\0';
	return line;
}

/* Turns of the loop until nothing more happens. */
static void
settle(void)
{
	int i;

	for (i = 0; i < 50; i++)
		ck_assert_int_ge(
		    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK), 0);
}

static void
far_send(uint16_t type, const void *payload, uint32_t len, int fd)
{
	struct ipc_frame f = {type, 0, 77, len, payload, fd};

	ck_assert_int_eq(ipc_send(far, &f), 0);
}

static void
assert_ended(enum peer_end end)
{
	settle();
	ck_assert_int_eq(seen.ends, 1);
	ck_assert_int_eq(seen.end, end);
}

/* Sends big messages with these ids; far more than the socket takes. */
static void
fill_up(uint32_t from, uint32_t to)
{
	static uint8_t big[BIG];
	uint32_t id;

	for (id = from; id <= to; id++) {
		big[0] = (uint8_t)id;
		seen.sending = true;
		peer_send(near, PROTO_CONF, id, big, sizeof(big), -1);
		seen.sending = false;
	}
}

/* --- receiving ------------------------------------------------------------ */

START_TEST(a_frame_arrives)
{
	struct proto_worker_status status = {.requests = 5};
	uint8_t put[IPC_PAYLOAD_MAX];
	int len = proto_put_worker_status(put, &status);

	put[0] = PROTO_TUNNEL_JOINED;
	far_send(PROTO_WORKER_STATUS, put, (uint32_t)len, -1);
	settle();
	ck_assert_int_eq(seen.frames, 1);
	ck_assert_uint_eq(seen.type, PROTO_WORKER_STATUS);
	ck_assert_uint_eq(seen.id, 77);
	ck_assert_uint_eq(seen.len, (uint32_t)len);
	ck_assert_uint_eq(seen.first, PROTO_TUNNEL_JOINED);
	ck_assert_int_eq(seen.ends, 0);
}
END_TEST

START_TEST(the_state_decides_what_may_arrive)
{
	peer_free(near);
	close(far);
	start(PROTO_SUPERVISOR, PROTO_WORKER);
	ck_assert_int_eq(peer_state(near), PROTO_NEW);
	peer_set_state(near, PROTO_SETUP);
	ck_assert_int_eq(peer_state(near), PROTO_SETUP);
	far_send(PROTO_READY, NULL, 0, -1);
	settle();
	ck_assert_int_eq(seen.frames, 1);
	peer_set_state(near, PROTO_RUNNING);
	far_send(PROTO_READY, NULL, 0, -1);
	assert_ended(PEER_BREACH);
	ck_assert_int_eq(seen.frames, 1);
}
END_TEST

START_TEST(others_have_their_turn)
{
	int i;

	for (i = 0; i < 100; i++)
		far_send(PROTO_JOINED, NULL, 0, -1);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	ck_assert_int_gt(seen.frames, 0);
	ck_assert_int_le(seen.frames, 32);
	settle();
	ck_assert_int_eq(seen.frames, 100);
}
END_TEST

/* A worker's connection to the supervisor: that gets descriptors. */
static int
start_with_pipe(int pipefd[2])
{
	uint8_t kind = PROTO_FD_PEER;

	peer_free(near);
	close(far);
	start(PROTO_WORKER, PROTO_SUPERVISOR);
	peer_set_state(near, PROTO_SETUP);
	ck_assert_int_eq(pipe2(pipefd, O_NONBLOCK), 0);
	far_send(PROTO_FD, &kind, 1, pipefd[1]);
	util_close(&pipefd[1]);
	return 0;
}

START_TEST(a_descriptor_is_closed_unless_taken)
{
	int pipefd[2];
	char c;

	seen.take = _i == 1;
	start_with_pipe(pipefd);
	settle();
	ck_assert_int_eq(seen.frames, 1);
	ck_assert_int_ne(seen.fd, -1);
	if (_i == 0) {
		ck_assert_int_eq(read(pipefd[0], &c, 1), 0);
		return;
	}
	ck_assert_int_eq(read(pipefd[0], &c, 1), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(write(seen.fd, "x", 1), 1);
	close(seen.fd);
}
END_TEST

START_TEST(a_descriptor_is_closed_when_the_peer_is_freed)
{
	int pipefd[2];
	char c;

	seen.free_frame = true;
	start_with_pipe(pipefd);
	settle();
	ck_assert_ptr_null(near);
	ck_assert_int_eq(read(pipefd[0], &c, 1), 0);
}
END_TEST

START_TEST(received_payloads_are_wiped)
{
	static struct proto_token token = {.state = PROTO_TOKEN_VALID};
	static uint8_t put[IPC_PAYLOAD_MAX];
	uint32_t i, len;

	memset(token.path_id, 't', sizeof(token.path_id) - 1);
	memset(token.jti, 't', sizeof(token.jti) - 1);
	memset(token.token, 't', sizeof(token.token) - 1);
	len = (uint32_t)proto_put_token(put, &token);
	peer_free(near);
	close(far);
	start(PROTO_WORKER, PROTO_TOKEND);
	peer_set_state(near, PROTO_RUNNING);
	far_send(PROTO_TOKEN, put, len, -1);
	settle();
	ck_assert_uint_eq(seen.len, len);
	for (i = 0; i < len; i++)
		ck_assert_uint_eq(seen.payload[i], 0);
}
END_TEST

/* --- the end -------------------------------------------------------------- */

START_TEST(the_other_side_leaves)
{
	far_send(PROTO_JOINED, NULL, 0, -1);
	util_close(&far);
	assert_ended(PEER_EOF);
	ck_assert_int_eq(seen.frames, 1);
	peer_send_empty(near, PROTO_READY, 1); /* else our own mistake */
	peer_send_empty(near, PROTO_STATUS, 1);
	peer_flush(near);
	assert_ended(PEER_EOF);
	ck_assert_str_eq(heard(), "");
}
END_TEST

/* A child that says why it leaves, and leaves without having read all. */
START_TEST(last_words_are_heard)
{
	uint8_t code = 78;

	if (_i == 0) /* unread when it closes: ECONNRESET */
		peer_send_empty(near, PROTO_STATUS, 1);
	far_send(PROTO_CONF_ACK, &code, 1, -1);
	util_close(&far);
	if (_i == 1) { /* sent to one who is gone: EPIPE */
		seen.sending = true;
		peer_send_empty(near, PROTO_STATUS, 1);
		peer_send_empty(near, PROTO_STATUS, 2);
		seen.sending = false;
	}
	assert_ended(PEER_EOF);
	ck_assert_int_eq(seen.frames, 1);
	ck_assert_uint_eq(seen.type, PROTO_CONF_ACK);
	ck_assert_uint_eq(seen.first, 78);
}
END_TEST

/* It only stops to read: no end of file comes, the end must come all the
 * same. */
START_TEST(one_who_reads_no_more_is_gone)
{
	ck_assert_int_eq(shutdown(far, SHUT_RD), 0);
	seen.sending = true;
	peer_send_empty(near, PROTO_STATUS, 1);
	seen.sending = false;
	assert_ended(PEER_EOF);
}
END_TEST

START_TEST(a_broken_socket_is_an_error)
{
	int fd[2];

	peer_free(near);
	close(far);
	start(PROTO_SUPERVISOR, PROTO_WORKER);
	peer_set_state(near, PROTO_RUNNING);
	ck_assert_int_eq(pipe2(fd, O_NONBLOCK), 0);
	/* The number that the peer has is no socket any more. */
	ck_assert_int_eq(dup2(fd[1], near_fd), near_fd);
	seen.sending = true;
	peer_send_empty(near, PROTO_STATUS, 1);
	seen.sending = false;
	assert_ended(PEER_ERROR);
	ck_assert_int_eq(seen.error, ENOTSOCK);
}
END_TEST

static const struct {
	const char *wire;
	size_t len;
	const char *says; /* in the log */
} breaches[] = {
    {"\x0d\0\0\0\0\0\0\0\1\0\0\0", 12, "frame"},	     /* no frame */
    {"\x0d\0\0\0\0\0\0\0\1\0\0\0x", 13, "JOINED: too long"}, /* payload */
    {"\x0e\0\0\0\0\0\0\0\0\0\0\0", 12, "TOKEN_GET"},	     /* not to us */
    {"\x01\0\0\0\0\0\0\0\0\0\0\0", 12, "HELLO"},	     /* not now */
    {"\xff\0\0\0\0\0\0\0\0\0\0\0", 12, "unknown type"},
};

START_TEST(a_breach_is_told_once_and_ends_it)
{
	const char *line;

	ck_assert_int_eq(send(far, breaches[_i].wire, breaches[_i].len, 0),
	    (int)breaches[_i].len);
	far_send(PROTO_JOINED, NULL, 0, -1);
	assert_ended(PEER_BREACH);
	ck_assert_int_eq(seen.frames, 0);
	line = heard();
	ck_assert_ptr_nonnull(strstr(line, " warn check: worker "));
	ck_assert_ptr_nonnull(strstr(line, breaches[_i].says));
	ck_assert_str_eq(heard(), "");
}
END_TEST

START_TEST(a_breach_leaves_no_descriptor)
{
	int pipefd[2];
	char c;

	ck_assert_int_eq(pipe2(pipefd, O_NONBLOCK), 0);
	far_send(PROTO_JOINED, NULL, 0, pipefd[1]);
	util_close(&pipefd[1]);
	assert_ended(PEER_BREACH);
	ck_assert_int_eq(read(pipefd[0], &c, 1), 0);
}
END_TEST

START_TEST(freed_inside_its_callbacks)
{
	seen.free_frame = _i == 0;
	seen.free_end = _i == 1;
	far_send(PROTO_JOINED, NULL, 0, -1);
	far_send(PROTO_JOINED, NULL, 0, -1);
	util_close(&far);
	settle();
	ck_assert_ptr_null(near);
	ck_assert_int_eq(seen.frames, _i == 0 ? 1 : 2);
	ck_assert_int_eq(seen.ends, _i == 0 ? 0 : 1);
}
END_TEST

START_TEST(nothing_comes_after_free)
{
	peer_free(NULL);
	far_send(PROTO_JOINED, NULL, 0, -1);
	util_close(&far);
	peer_send_empty(near, PROTO_STATUS, 1); /* an end is due */
	peer_free(near);
	near = NULL;
	settle();
	ck_assert_int_eq(seen.frames, 0);
	ck_assert_int_eq(seen.ends, 0);
}
END_TEST

/* --- sending -------------------------------------------------------------- */

START_TEST(what_is_sent_is_there_at_once)
{
	uint8_t put[IPC_PAYLOAD_MAX];
	struct ipc_frame f;

	peer_send_put(near, PROTO_LOG_LEVEL, 3, put,
	    proto_put_log(put, &(struct proto_log){.level = LOG_LEVEL_WARN}));
	ck_assert_int_eq(ipc_recv(far, space, &f), 1);
	ck_assert_uint_eq(f.type, PROTO_LOG_LEVEL);
	ck_assert_uint_eq(f.id, 3);
	ck_assert_uint_eq(f.len, 3);
	ck_assert_uint_eq(f.payload[1], LOG_LEVEL_WARN);
	ck_assert_int_eq(f.fd, -1);
}
END_TEST

/* Reads at the far end, with turns of the loop in between, until nothing
 * more comes; the ids have to follow one another. */
static uint32_t
drain(uint32_t id)
{
	struct ipc_frame f;
	int idle = 0;

	while (idle < 3) {
		if (ipc_recv(far, space, &f) != 1) {
			settle();
			idle++;
			continue;
		}
		idle = 0;
		ck_assert_uint_eq(f.id, id);
		ck_assert_uint_eq(f.len, BIG);
		ck_assert_uint_eq(f.payload[0], (uint8_t)id);
		id++;
	}
	return id;
}

START_TEST(what_the_socket_does_not_take_waits_in_order)
{
	struct ipc_frame f;
	uint32_t id;

	fill_up(1, 150);
	settle();
	ck_assert_int_eq(seen.ends, 0);
	for (id = 1; id <= 5; id++)
		ck_assert_int_eq(ipc_recv(far, space, &f), 1);
	/* There is room in the socket, but others came first. */
	fill_up(151, 200);
	ck_assert_uint_eq(drain(6), 201);
	/* And the way is free again. */
	peer_send_empty(near, PROTO_STATUS, 201);
	peer_flush(near);
	ck_assert_int_eq(ipc_recv(far, space, &f), 1);
	ck_assert_uint_eq(f.id, 201);
}
END_TEST

START_TEST(flush_needs_no_loop)
{
	struct ipc_frame f;
	uint32_t i;

	fill_up(1, 40);
	for (i = 1; i <= 40; i++) {
		ck_assert_int_eq(ipc_recv(far, space, &f), 1);
		ck_assert_uint_eq(f.id, i);
		peer_flush(near);
	}
}
END_TEST

/* The loop sleeps when there is nothing to send. */
START_TEST(an_empty_queue_wakes_nobody)
{
	struct timeval nap = {.tv_usec = 100 * 1000};
	int64_t before;

	fill_up(1, 40);
	drain(1);
	before = util_mono_ms();
	event_base_loopexit(base, &nap);
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_ge(util_mono_ms() - before, 90);
}
END_TEST

START_TEST(a_queued_descriptor_is_a_copy)
{
	uint8_t kind = PROTO_FD_TOKEN;
	struct ipc_frame f = {.fd = -1};
	int pipefd[2], got = -1, i;
	char c;

	ck_assert_int_eq(pipe2(pipefd, O_NONBLOCK), 0);
	fill_up(1, 60);
	peer_send(near, PROTO_FD, 61, &kind, 1, pipefd[1]);
	ck_assert_int_ne(fcntl(pipefd[1], F_GETFD), -1); /* still ours */
	util_close(&pipefd[1]);
	for (i = 0; i < 1000 && got == -1; i++) {
		if (ipc_recv(far, space, &f) == 1)
			got = f.fd;
		else
			settle();
	}
	ck_assert_int_ne(got, -1);
	ck_assert_uint_eq(f.id, 61);
	ck_assert_int_eq(write(got, "x", 1), 1);
	ck_assert_int_eq(read(pipefd[0], &c, 1), 1);
	close(got);
	/* The copy did not stay behind. */
	ck_assert_int_eq(read(pipefd[0], &c, 1), 0);
}
END_TEST

START_TEST(free_drops_what_waits)
{
	uint8_t kind = PROTO_FD_TOKEN;
	int pipefd[2];
	char c;

	ck_assert_int_eq(pipe2(pipefd, O_NONBLOCK), 0);
	fill_up(1, 60);
	peer_send(near, PROTO_FD, 61, &kind, 1, pipefd[1]);
	util_close(&pipefd[1]);
	peer_free(near);
	near = NULL;
	ck_assert_int_eq(read(pipefd[0], &c, 1), 0);
}
END_TEST

/* Small ones and big ones. */
START_TEST(one_who_does_not_read_is_given_up)
{
	static uint8_t big[BIG];
	int i, count = 2000;

	seen.free_end = true;
	for (i = 0; i < count; i++) {
		seen.sending = true;
		if (_i == 0)
			peer_send_empty(near, PROTO_STATUS, 1);
		else
			peer_send(near, PROTO_CONF, 1, big, sizeof(big), -1);
		seen.sending = false;
	}
	ck_assert_int_eq(seen.ends, 0);
	assert_ended(PEER_OVERFLOW);
	ck_assert_ptr_nonnull(strstr(heard(), "worker does not read"));
	ck_assert_str_eq(heard(), "");
}
END_TEST

START_TEST(an_end_found_in_on_frame_stops_it)
{
	/* Each frame is answered far too often. */
	seen.answers = 2000;
	far_send(PROTO_JOINED, NULL, 0, -1);
	far_send(PROTO_JOINED, NULL, 0, -1);
	assert_ended(PEER_OVERFLOW);
	ck_assert_int_eq(seen.frames, 1);
}
END_TEST

START_TEST(our_own_mistakes_are_fatal)
{
	uint8_t byte = 0;

	switch (_i) {
	case 0:
		peer_send_empty(near, PROTO_TOKEN_GET, 1);
		break;
	case 1:
		peer_send(near, PROTO_STATUS, 1, &byte, 1, -1);
		break;
	case 2:
		peer_send(near, PROTO_FD, 1, &byte, 1, -1);
		break;
	case 3: /* must not be taken modulo 2^32 */
		peer_send(near, PROTO_STATUS, 1, &byte, (size_t)1 << 32, -1);
		break;
	default:
		peer_send_put(near, PROTO_LOG_LEVEL, 1, &byte, -1);
	}
	exit(0);
}
END_TEST

static TCase *
receive_case(void)
{
	TCase *tc = tcase_create("receive");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_frame_arrives);
	tcase_add_test(tc, the_state_decides_what_may_arrive);
	tcase_add_test(tc, others_have_their_turn);
	tcase_add_loop_test(tc, a_descriptor_is_closed_unless_taken, 0, 2);
	tcase_add_test(tc, a_descriptor_is_closed_when_the_peer_is_freed);
	tcase_add_test(tc, received_payloads_are_wiped);
	return tc;
}

static TCase *
end_case(void)
{
	TCase *tc = tcase_create("end");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_other_side_leaves);
	tcase_add_loop_test(tc, last_words_are_heard, 0, 2);
	tcase_add_test(tc, one_who_reads_no_more_is_gone);
	tcase_add_test(tc, a_broken_socket_is_an_error);
	tcase_add_loop_test(tc, a_breach_is_told_once_and_ends_it, 0,
	    (int)UTIL_COUNT(breaches));
	tcase_add_test(tc, a_breach_leaves_no_descriptor);
	tcase_add_loop_test(tc, freed_inside_its_callbacks, 0, 2);
	tcase_add_test(tc, nothing_comes_after_free);
	return tc;
}

static TCase *
send_case(void)
{
	TCase *tc = tcase_create("send");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_sent_is_there_at_once);
	tcase_add_test(tc, what_the_socket_does_not_take_waits_in_order);
	tcase_add_test(tc, flush_needs_no_loop);
	tcase_add_test(tc, an_empty_queue_wakes_nobody);
	tcase_add_test(tc, a_queued_descriptor_is_a_copy);
	tcase_add_test(tc, free_drops_what_waits);
	tcase_add_loop_test(tc, one_who_does_not_read_is_given_up, 0, 2);
	tcase_add_test(tc, an_end_found_in_on_frame_stops_it);
	tcase_add_loop_exit_test(tc, our_own_mistakes_are_fatal, 70, 0, 5);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("peer");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, receive_case());
	suite_add_tcase(suite, end_case());
	suite_add_tcase(suite, send_case());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
