/* SPDX-License-Identifier: MIT */
/*
 * What turns a child into an attacker's: linked into the executables of
 * build/hostile and into nothing else. attack.c reads the orders and carries
 * one out when it is told to; an order is one line, `NAME WORD…`, and each NAME
 * is one attack, a function below that takes the words, w[0] the name itself.
 * An attack says what came of it, and neither checks nor hopes: that is the
 * test's (tests/it/hostile/test_*.py).
 */
#ifndef TESTS_HOSTILE_ATTACK_H
#define TESTS_HOSTILE_ATTACK_H

#include <stdbool.h>
#include <stdint.h>

/* --- attack.c ------------------------------------------------------------- */

#define ATTACK_CHANNEL_FD 3 /* to the supervisor */
#define ATTACK_FDS_SEEN 256 /* below it descriptors are looked for */
#define ATTACK_ZEROES (70 * 1024)

extern bool attack_is_tokend;
extern uint8_t attack_zeroes[ATTACK_ZEROES];

/* A line `attack: WHAT = RESULT` on standard error, with the error's name when
 * it is negative: tests wait for it. */
void attack_say(const char *what, long result, int error);

/* A word as an argument: a number, @TEXT (a pointer to it), # (a pointer to
 * attack_zeroes); without one 0. */
long attack_argument(const char *word);

/* --- attack_calls.c: by system calls alone -------------------------------- */

/* call NAME ARG…: the system call with these arguments */
void attack_call(char **w);
/* hold: descriptors until there are no more */
void attack_hold(char **w);
/* connect PORT: to a port of this machine */
void attack_connect(char **w);
/* spin: for ever */
void attack_spin(char **w);
/* listener HOW: the health listener is shut down (shut) or blocks */
void attack_listener(char **w);
/* bomb: forks until there are no more, 50 at most */
void attack_bomb(char **w);
/* stay: a fork that says each second that it lives */
void attack_stay(char **w);

/* --- attack_frames.c: on the channels, WHERE is `supervisor` or `peer` -----
 */

/* frame WHERE TYPE FLAGS ANNOUNCED LEN FDS TIMES: TIMES packets with LEN zeroed
 * bytes of payload and FDS descriptors */
void attack_frame(char **w);
/* hello WHERE: HELLO with another build */
void attack_hello(char **w);
/* send WHERE TYPE ID HEX: one packet with this payload */
void attack_send(char **w);
/* linger WHERE PORT: a descriptor whose last close waits for a peer (127.0.0.1,
 * PORT) that does not read */
void attack_linger(char **w);
/* puts N PAD: N TOKEN_PUTs to tokend, each with another forged token, PAD bytes
 * longer than needed, while its answers are read */
void attack_puts(char **w);

#endif
