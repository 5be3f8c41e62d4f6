/* SPDX-License-Identifier: MIT */
/*
 * The keeper joins candidates (token.h), sealing (seal.h) and the store
 * (store.h): what is chosen is also kept. Knows no peer and no loop, and
 * writes the audit log of what happens to credentials.
 */
#ifndef TOKEND_KEEPER_H
#define TOKEND_KEEPER_H

#include <limits.h>

#include "conf.h"
#include "inputs.h"
#include "seal.h"
#include "store.h"
#include "token.h"

/* Rows that are remembered without their token: they are removed once they are
 * expired, and read again when all else is refused. Of more than these the next
 * start sees to the rest. */
#define KEEPER_PAST_MAX 1024
struct keeper_past {
	int64_t row, exp_s;
	int64_t reign_ms;  /* how long it was here before another came */
	unsigned refusals; /* as in struct token */
	unsigned said_by;
	bool revoked;
	bool brought; /* by a refresh, since the start */
};

/* Unexpired rows that refreshes brought since the start. Each has put those
 * before out of use, or it is false: more are of no use to anybody. */
#define KEEPER_BROUGHT_MAX 8

struct keeper {
	struct tokens tokens;
	struct seal *seal;
	struct seal *previous; /* until nothing needs it any more, or NULL */
	struct jwt_key *jwt_key;
	struct store *store; /* NULL: not yet open, or lost from its place */
	struct store_params place;
	char path[PATH_MAX]; /* place's */
	bool previous_given; /* it stands in the configuration */
	bool adopted;	     /* the store may be written */
	bool unsaved;	     /* the current one is not in the store yet */
	int64_t locked_ms;   /* when others last kept us waiting, 0: never */
	struct keeper_past past[KEEPER_PAST_MAX];
	unsigned pasts;
	/* Counted since the start, but for unreadable: as last seen. */
	uint64_t errors[PROTO_STORE_ERRORS];
	uint64_t refused, resealed, unreadable;
	char refusal[PROTO_REPORT_TEXT_MAX]; /* the last one, or "" */
};

void keeper_init(struct keeper *);

/* Reads what was given: keys, then the token. 0, or a sysexits code (logged)
 * with the keeper unchanged: all is judged before any of it is taken. */
int keeper_take_inputs(struct keeper *, const struct inputs *);

/*
 * Opens the store and takes its tokens in; a store with rows of which none can
 * be read is left alone. What the previous key opens is sealed anew. 0, or a
 * sysexits code (logged).
 */
int keeper_open(struct keeper *, const struct conf *, bool was_root);
void keeper_close(struct keeper *);

/* Stores the best candidate unless it is stored; removes expired rows that we
 * could read. Tries again what failed before. */
void keeper_save(struct keeper *);

/* One that is not the best is kept as well: it may be needed. */
void keeper_save_also(struct keeper *, struct token *);

/*
 * After a refresh: the server has put the earlier tokens out of use. They
 * leave the memory, but for those that are not stored; their rows stay until
 * they expire, and are read again if all else is refused. Beyond
 * KEEPER_BROUGHT_MAX the one that was here for the shortest time goes: what was
 * in use before somebody brought many at once stays.
 */
void keeper_settle(struct keeper *, const struct token *fresh);

/* Seals all rows with the present key, in one transaction. Faults are logged
 * and counted. */
enum store_fault keeper_reseal(struct keeper *);

/* A token of the operator's (telephonectl token set): the report says what
 * became of it. */
void keeper_set(struct keeper *, int fd, struct proto_report *);
/* telephonectl token rotate. */
void keeper_rotate(struct keeper *, struct proto_report *);

/* The server said no to the current token, as the worker `by` tells. False: it
 * is not the current one (any more). */
bool keeper_refuse(struct keeper *, const struct proto_refused *, unsigned by);
/* … and for good: it is not presented again while that worker lives, not even
 * when it is all there is. */
void keeper_revoke(struct keeper *, struct token *, unsigned by);
/* That worker is gone, and what it said goes with it: it may have been in an
 * attacker's hands, and to hear the server's no once more costs little. True
 * when there was anything. */
bool keeper_unsay(struct keeper *, unsigned by);
/* The operator's reload: all is tried again. */
void keeper_forgive(struct keeper *);

/* The best candidate and its state. */
struct token *keeper_best(const struct keeper *, enum proto_token_state *);
/* The one to present: NULL with PROTO_TOKEN_NONE when there is none. */
struct token *keeper_offer(const struct keeper *, enum proto_token_state *);

/* Says what is odd about the candidates: one for another path_id than the
 * best, one issued in the future. */
void keeper_warn(const struct keeper *);

#endif
