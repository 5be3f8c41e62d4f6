/* SPDX-License-Identifier: MIT */
/* Unit tests of common/: what each header promises. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include "buf.h"
#include "ipc.h"
#include "pack.h"

START_TEST(buf_grows_to_its_bound)
{
	struct buf b;
	int i;

	buf_init(&b, 1000);
	for (i = 0; i < 1000; i++)
		ck_assert_int_eq(buf_putc(&b, (uint8_t)i), 0);
	ck_assert_uint_eq(b.len, 1000);
	for (i = 0; i < 1000; i++)
		ck_assert_uint_eq(b.data[i], (uint8_t)i);
	ck_assert_int_eq(buf_putc(&b, 'x'), -1);
	ck_assert(b.failed);
	ck_assert_uint_eq(b.len, 1000);
	buf_clear(&b);
}
END_TEST

START_TEST(buf_failure_sticks_until_reset)
{
	struct buf b;

	buf_init(&b, 4);
	ck_assert_int_eq(buf_puts(&b, "12345"), -1);
	ck_assert_int_eq(buf_puts(&b, "1"), -1);
	ck_assert_uint_eq(b.len, 0);
	buf_reset(&b);
	ck_assert_int_eq(buf_printf(&b, "%d", 1234), 0);
	ck_assert_mem_eq(b.data, "1234", 4);
	buf_wipe(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(buf_consumes_from_the_front)
{
	struct buf b;

	buf_init(&b, 16);
	ck_assert_ptr_nonnull(buf_reserve(&b, 0));
	buf_puts(&b, "abcdef");
	buf_consume(&b, 2);
	ck_assert_uint_eq(b.len, 4);
	ck_assert_mem_eq(b.data, "cdef", 4);
	buf_consume(&b, 4);
	ck_assert_uint_eq(b.len, 0);
	buf_clear(&b);
}
END_TEST

START_TEST(pack_is_little_endian_and_comes_back)
{
	static const uint8_t wire[] = {1, 2, 1, 4, 3, 2, 1, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 'h', 'i'};
	uint8_t space[64];
	char text[3];
	struct pack p;
	struct unpack u;

	pack_init(&p, space, sizeof(space));
	pack_u8(&p, 1);
	pack_u16(&p, 0x0102);
	pack_u32(&p, 0x01020304);
	pack_i64(&p, -1);
	pack_str(&p, "hi");
	ck_assert(pack_ok(&p));
	ck_assert_uint_eq(p.len, sizeof(wire));
	ck_assert_mem_eq(space, wire, sizeof(wire));
	unpack_init(&u, space, p.len);
	ck_assert_uint_eq(unpack_u8(&u), 1);
	ck_assert_uint_eq(unpack_u16(&u), 0x0102);
	ck_assert_uint_eq(unpack_u32(&u), 0x01020304);
	ck_assert_int_eq(unpack_i64(&u), -1);
	ck_assert(!unpack_done(&u));
	unpack_str(&u, text, sizeof(text));
	ck_assert_str_eq(text, "hi");
	ck_assert(unpack_done(&u));
}
END_TEST

START_TEST(pack_does_not_write_past_its_end)
{
	uint8_t space[8] = {0};
	struct pack p;

	pack_init(&p, space, 7);
	pack_str(&p, "four");
	ck_assert(!pack_ok(&p));
	pack_u8(&p, 1); /* would fit, but a failed message stays failed */
	ck_assert(!pack_ok(&p));
	ck_assert_uint_eq(space[7], 0);
}
END_TEST

START_TEST(unpack_refuses_what_is_cut_or_too_long)
{
	static const uint8_t cut[] = {9, 0, 0, 0, 'x'};
	static const uint8_t nul[] = {2, 0, 0, 0, 'x', 0};
	static const uint8_t fits[] = {2, 0, 0, 0, 'o', 'k'};
	char text[3], small[2];
	struct unpack u;

	unpack_init(&u, cut, sizeof(cut));
	unpack_str(&u, text, sizeof(text));
	ck_assert(!unpack_done(&u));
	ck_assert_str_eq(text, "");
	unpack_init(&u, nul, sizeof(nul));
	unpack_str(&u, text, sizeof(text));
	ck_assert(!unpack_done(&u));
	unpack_init(&u, fits, sizeof(fits));
	unpack_str(&u, small, sizeof(small));
	ck_assert(!unpack_done(&u));
	unpack_init(&u, fits, 3);
	ck_assert_uint_eq(unpack_u32(&u), 0);
	ck_assert(!unpack_done(&u));
}
END_TEST

static uint8_t ipc_space[IPC_FRAME_MAX];

START_TEST(ipc_carries_a_frame_and_its_descriptor)
{
	struct ipc_frame out = {7, 0, 42, 5, (const uint8_t *)"hello", -1}, in;
	int sv[2], pipefd[2];
	char c;

	ck_assert_int_eq(ipc_pair(sv), 0);
	ck_assert_int_eq(pipe(pipefd), 0);
	ck_assert_int_eq(ipc_recv(sv[1], ipc_space, &in), -1);
	ck_assert_int_eq(errno, EAGAIN);
	out.fd = pipefd[1];
	ck_assert_int_eq(ipc_send(sv[0], &out), 0);
	ck_assert_int_eq(ipc_recv(sv[1], ipc_space, &in), 1);
	ck_assert_uint_eq(in.type, 7);
	ck_assert_uint_eq(in.id, 42);
	ck_assert_uint_eq(in.len, 5);
	ck_assert_mem_eq(in.payload, "hello", 5);
	ck_assert_int_ne(in.fd, -1);
	ck_assert_int_ne(fcntl(in.fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(write(in.fd, "x", 1), 1);
	ck_assert_int_eq(read(pipefd[0], &c, 1), 1);
	close(in.fd);
	close(sv[0]);
	ck_assert_int_eq(ipc_recv(sv[1], ipc_space, &in), 0);
}
END_TEST

START_TEST(ipc_holds_its_size_bound)
{
	static uint8_t big[IPC_PAYLOAD_MAX + 1];
	struct ipc_frame out = {1, 0, 0, IPC_PAYLOAD_MAX, big, -1}, in;
	int sv[2];

	ck_assert_int_eq(ipc_pair(sv), 0);
	ck_assert_int_eq(ipc_send(sv[0], &out), 0);
	ck_assert_int_eq(ipc_recv(sv[1], ipc_space, &in), 1);
	ck_assert_uint_eq(in.len, IPC_PAYLOAD_MAX);
	out.len++;
	ck_assert_int_eq(ipc_send(sv[0], &out), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
}
END_TEST

/* type, flags, id, len (little endian), payload: each is no frame. */
static const struct {
	const char *wire;
	size_t len;
} ipc_breaches[] = {
    {"\1\0\0\0\0\0\0\0\0\0\0", 11},    /* short header */
    {"\1\0\1\0\0\0\0\0\0\0\0\0", 12},  /* a flag */
    {"\1\0\0\0\0\0\0\0\2\0\0\0x", 13}, /* announces more */
    {"\1\0\0\0\0\0\0\0\0\0\0\0x", 13}, /* announces less */
};

START_TEST(ipc_refuses_what_is_no_frame)
{
	struct ipc_frame in;
	int sv[2];

	ck_assert_int_eq(ipc_pair(sv), 0);
	ck_assert_int_eq(
	    send(sv[0], ipc_breaches[_i].wire, ipc_breaches[_i].len, 0),
	    (int)ipc_breaches[_i].len);
	ck_assert_int_eq(ipc_recv(sv[1], ipc_space, &in), -1);
	ck_assert_int_eq(errno, EBADMSG);
}
END_TEST

/* Whoever closes this socket last waits for a peer that does not read. */
static int
make_lingering(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	struct linger forever = {1, 30};
	socklen_t len = sizeof(sin);
	static const uint8_t junk[65536];
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&sin, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(
	    getsockname(listener, (struct sockaddr *)&sin, &len), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sin, len), 0);
	while (send(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	ck_assert_int_eq(
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &forever, sizeof(forever)),
	    0);
	return fd;
}

/* Sends `count` frames, the last copies of descriptors that linger. */
static void
send_lingering(int fd, int count)
{
	struct ipc_frame out = {.type = 7};
	int i;

	for (i = 0; i < count; i++) {
		out.fd = make_lingering();
		ck_assert_int_eq(ipc_send(fd, &out), 0);
		close(out.fd);
	}
}

/* Each step within the test's own bound of 4 seconds, an eighth of one
 * linger. */
START_TEST(ipc_is_not_held_up_by_descriptors)
{
	struct ipc_frame in;
	int sv[2];

	ck_assert_int_eq(ipc_pair(sv), 0);
	send_lingering(sv[0], 3);
	ck_assert_int_eq(ipc_recv(sv[1], ipc_space, &in), 1);
	ipc_close_fd(&in.fd);
	ck_assert_int_eq(in.fd, -1);
	/* those that nobody has read */
	ipc_close(&sv[1]);
	ck_assert_int_eq(sv[1], -1);
	close(sv[0]);
}
END_TEST

/* A packet with more of them than any frame has, and than were once seen. */
START_TEST(ipc_is_not_held_up_by_many_descriptors)
{
	union {
		char space[CMSG_SPACE(20 * sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	uint8_t header[IPC_HEADER_LEN] = {7};
	struct iovec iov = {header, sizeof(header)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	struct ipc_frame in;
	int sv[2], fds[20], i;

	ck_assert_int_eq(ipc_pair(sv), 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	for (i = 0; i < 20; i++)
		fds[i] = make_lingering();
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	ck_assert_int_eq(sendmsg(sv[0], &msg, 0), IPC_HEADER_LEN);
	for (i = 0; i < 20; i++)
		close(fds[i]);
	ck_assert_int_eq(ipc_recv(sv[1], ipc_space, &in), -1);
	ck_assert_int_eq(errno, EBADMSG);
	close(sv[0]);
	close(sv[1]);
}
END_TEST

START_TEST(ipc_can_do_without_descriptors)
{
	struct ipc_frame out = {.type = 7, .fd = 0}, in;
	int sv[2];

	ck_assert_int_eq(ipc_pair(sv), 0);
	if (ipc_refuse_fds(sv[1]) == -1)
		return; /* before Linux 6.16 */
	ck_assert_int_eq(ipc_send(sv[0], &out), -1);
	ck_assert_int_eq(errno, EPERM);
	out.fd = -1;
	ck_assert_int_eq(ipc_send(sv[0], &out), 0);
	ck_assert_int_eq(ipc_recv(sv[1], ipc_space, &in), 1);
	out.fd = 0; /* the other way still takes them */
	ck_assert_int_eq(ipc_send(sv[1], &out), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("common");
	TCase *tc = tcase_create("common");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, buf_grows_to_its_bound);
	tcase_add_test(tc, buf_failure_sticks_until_reset);
	tcase_add_test(tc, buf_consumes_from_the_front);
	tcase_add_test(tc, pack_is_little_endian_and_comes_back);
	tcase_add_test(tc, pack_does_not_write_past_its_end);
	tcase_add_test(tc, unpack_refuses_what_is_cut_or_too_long);
	tcase_add_test(tc, ipc_carries_a_frame_and_its_descriptor);
	tcase_add_test(tc, ipc_holds_its_size_bound);
	tcase_add_test(tc, ipc_is_not_held_up_by_descriptors);
	tcase_add_test(tc, ipc_is_not_held_up_by_many_descriptors);
	tcase_add_test(tc, ipc_can_do_without_descriptors);
	tcase_add_loop_test(tc, ipc_refuses_what_is_no_frame, 0,
	    sizeof(ipc_breaches) / sizeof(ipc_breaches[0]));
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
