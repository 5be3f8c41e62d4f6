/* SPDX-License-Identifier: MIT */
/*
 * linger: the polite end of a connection.  Flush what is queued, shut the
 * sending side, then read and throw away until the peer has closed too, so
 * that no RST eats the last bytes.  Bounded in time.
 */
#ifndef SWITCHBOARD_LINGER_H
#define SWITCHBOARD_LINGER_H

struct bufferevent;

/* Takes the bufferevent over and frees it in the end. */
void linger_start(struct bufferevent *);

/* Free it now, with RST instead of FIN. */
void linger_reset(struct bufferevent *);

/* Free all that still linger. */
void linger_free_all(void);

#endif
