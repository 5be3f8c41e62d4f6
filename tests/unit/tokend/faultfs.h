/* SPDX-License-Identifier: MIT */
/*
 * A file system for SQLite (a VFS over the system's own) that counts what is
 * done to files, and at one of those points kills this process, loses what was
 * not synced as a power cut does, or says that the disk is full or broken. The
 * real fsync is left out: what it promises is what is played here.
 */
#ifndef TESTS_FAULTFS_H
#define TESTS_FAULTFS_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

enum fault_kind {
	FAULT_NONE,
	FAULT_BEFORE, /* killed in front of it */
	FAULT_TORN,   /* … when half of a write was done */
	FAULT_AFTER,
	FAULT_POWER, /* … and what was not synced is there or not, by chance */
	FAULT_KINDS_OF_DEATH,
	FAULT_FULL = FAULT_KINDS_OF_DEATH, /* no write from here on */
	FAULT_BROKEN,			   /* this one fails */
	FAULT_KINDS
};

static struct {
	enum fault_kind kind;
	int at, count; /* counted from 1 */
	uint32_t seed;
} fault;

/* What is on the disk of one file, and what was written since. */
#define FAULT_FILES 4
#define FAULT_WRITES 4096
struct fault_write {
	sqlite3_int64 at;
	int len; /* -1: a truncation to `at` */
	uint8_t *data;
};
static struct fault_disk {
	char path[512];
	bool synced; /* ever: else it may not be there at all */
	uint8_t *image;
	size_t image_len;
	struct fault_write write[FAULT_WRITES];
	int writes;
} fault_disk[FAULT_FILES];

struct fault_file {
	sqlite3_file base;
	struct fault_disk *disk; /* NULL: nobody cares */
	sqlite3_file *real;
};

static sqlite3_vfs fault_vfs;
static sqlite3_vfs *fault_real;

static uint32_t
fault_random(void)
{
	fault.seed = fault.seed * 1664525u + 1013904223u;
	return fault.seed >> 16;
}

/* --- the disk --------------------------------------------------------------
 */

static struct fault_disk *
fault_find(const char *path)
{
	int i;

	for (i = 0; i < FAULT_FILES; i++) {
		if (strcmp(fault_disk[i].path, path) == 0)
			return &fault_disk[i];
		if (fault_disk[i].path[0] != '\0')
			continue;
		(void)snprintf(
		    fault_disk[i].path, sizeof(fault_disk[i].path), "%s", path);
		return &fault_disk[i];
	}
	return NULL;
}

/* All of it is safe now. */
static void
fault_settle(struct fault_disk *d)
{
	int fd = open(d->path, O_RDONLY | O_CLOEXEC);
	off_t len = fd == -1 ? 0 : lseek(fd, 0, SEEK_END);

	free(d->image);
	d->image = malloc((size_t)len + 1);
	d->image_len =
	    fd == -1 ? 0 : (size_t)pread(fd, d->image, (size_t)len, 0);
	d->synced = fd != -1;
	(void)close(fd);
	while (d->writes > 0)
		free(d->write[--d->writes].data);
}

static void
fault_remember(
    struct fault_disk *d, sqlite3_int64 at, const void *data, int len)
{
	struct fault_write *w;

	if (d == NULL || d->writes == FAULT_WRITES)
		return;
	w = &d->write[d->writes++];
	w->at = at;
	w->len = len;
	w->data = len < 0 ? NULL : malloc((size_t)len + 1);
	if (len > 0)
		memcpy(w->data, data, (size_t)len);
}

/* The power is gone: each write since the last sync has reached the disk, or
 * half of it has, or it has not. */
static void
fault_lose(struct fault_disk *d)
{
	struct fault_write *w;
	uint32_t luck;
	int fd, i;

	if (d->path[0] == '\0')
		return;
	if (!d->synced && fault_random() % 2 == 0) {
		(void)unlink(d->path);
		return;
	}
	fd = open(d->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	(void)!ftruncate(fd, 0);
	(void)!pwrite(fd, d->image, d->image_len, 0);
	for (i = 0; i < d->writes; i++) {
		w = &d->write[i];
		luck = fault_random() % 3;
		if (luck == 0)
			continue;
		if (w->len < 0)
			(void)!ftruncate(fd, w->at);
		else
			(void)!pwrite(fd, w->data,
			    (size_t)(luck == 1 ? w->len / 2 : w->len), w->at);
	}
	(void)close(fd);
}

static void
fault_die(void)
{
	int i;

	for (i = 0; fault.kind == FAULT_POWER && i < FAULT_FILES; i++)
		fault_lose(&fault_disk[i]);
	(void)kill(getpid(), SIGKILL);
}

/* --- points ----------------------------------------------------------------
 */

/* In front of something that is done to a file: 0, or what it fails with. */
static int
fault_before(bool is_write)
{
	fault.count++;
	if (fault.kind == FAULT_FULL && is_write && fault.count >= fault.at)
		return SQLITE_FULL;
	if (fault.count != fault.at)
		return 0;
	if (fault.kind == FAULT_BEFORE || fault.kind == FAULT_POWER)
		fault_die();
	return fault.kind == FAULT_BROKEN ? SQLITE_IOERR : 0;
}

static void
fault_after(void)
{
	if (fault.count == fault.at && fault.kind == FAULT_AFTER)
		fault_die();
}

/* --- files -----------------------------------------------------------------
 */

#define REAL(f) (((struct fault_file *)(f))->real)
#define DISK(f) (((struct fault_file *)(f))->disk)

static int
fault_close(sqlite3_file *f)
{
	return REAL(f)->pMethods->xClose(REAL(f));
}

static int
fault_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return REAL(f)->pMethods->xRead(REAL(f), p, n, at);
}

static int
fault_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	int rc = fault_before(true);

	if (rc != 0)
		return rc == SQLITE_IOERR ? SQLITE_IOERR_WRITE : rc;
	if (fault.count == fault.at && fault.kind == FAULT_TORN) {
		(void)REAL(f)->pMethods->xWrite(REAL(f), p, n / 2, at);
		fault_die();
	}
	rc = REAL(f)->pMethods->xWrite(REAL(f), p, n, at);
	fault_remember(DISK(f), at, p, n);
	fault_after();
	return rc;
}

static int
fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int rc = fault_before(false);

	if (rc != 0)
		return SQLITE_IOERR_TRUNCATE;
	rc = REAL(f)->pMethods->xTruncate(REAL(f), size);
	fault_remember(DISK(f), size, NULL, -1);
	fault_after();
	return rc;
}

static int
fault_sync(sqlite3_file *f, int flags)
{
	(void)flags;
	if (fault_before(false) != 0)
		return SQLITE_IOERR_FSYNC;
	if (DISK(f) != NULL)
		fault_settle(DISK(f));
	fault_after();
	return SQLITE_OK;
}

static int
fault_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return REAL(f)->pMethods->xFileSize(REAL(f), size);
}

static int
fault_lock(sqlite3_file *f, int level)
{
	return REAL(f)->pMethods->xLock(REAL(f), level);
}

static int
fault_unlock(sqlite3_file *f, int level)
{
	return REAL(f)->pMethods->xUnlock(REAL(f), level);
}

static int
fault_reserved(sqlite3_file *f, int *out)
{
	return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out);
}

static int
fault_control(sqlite3_file *f, int op, void *arg)
{
	return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}

static int
fault_sector(sqlite3_file *f)
{
	return REAL(f)->pMethods->xSectorSize(REAL(f));
}

static int
fault_traits(sqlite3_file *f)
{
	return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}

static int
fault_shm_map(
    sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	int rc = fault_before(false);

	if (rc != 0)
		return SQLITE_IOERR_SHMMAP;
	rc = REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, out);
	fault_after();
	return rc;
}

static int
fault_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	int rc;

	(void)fault_before(false); /* does not fail but for others' locks */
	rc = REAL(f)->pMethods->xShmLock(REAL(f), offset, n, flags);
	fault_after();
	return rc;
}

static void
fault_shm_barrier(sqlite3_file *f)
{
	(void)fault_before(false);
	REAL(f)->pMethods->xShmBarrier(REAL(f));
	fault_after();
}

static int
fault_shm_unmap(sqlite3_file *f, int remove)
{
	(void)fault_before(false);
	return REAL(f)->pMethods->xShmUnmap(REAL(f), remove);
}

static const sqlite3_io_methods fault_methods = {2, fault_close, fault_read,
    fault_write, fault_truncate, fault_sync, fault_size, fault_lock,
    fault_unlock, fault_reserved, fault_control, fault_sector, fault_traits,
    fault_shm_map, fault_shm_lock, fault_shm_barrier, fault_shm_unmap, NULL,
    NULL};

static int
fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags,
    int *out_flags)
{
	struct fault_file *file = (struct fault_file *)f;
	int rc;

	(void)vfs;
	memset(file, 0, sizeof(*file));
	if (fault_before(false) != 0)
		return SQLITE_IOERR;
	file->real = (sqlite3_file *)(file + 1);
	rc = fault_real->xOpen(fault_real, name, file->real, flags, out_flags);
	if (rc != SQLITE_OK)
		return rc;
	f->pMethods = &fault_methods;
	/* What was there before is on the disk. */
	if (name != NULL && (file->disk = fault_find(name)) != NULL &&
	    file->disk->image == NULL) {
		fault_settle(file->disk);
		file->disk->synced = file->disk->image_len > 0;
	}
	fault_after();
	return rc;
}

static int
fault_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	struct fault_disk *d;
	int rc;

	(void)vfs;
	if (fault_before(false) != 0)
		return SQLITE_IOERR_DELETE;
	rc = fault_real->xDelete(fault_real, name, sync_dir);
	d = fault_find(name);
	if (d != NULL) {
		fault_settle(d);
		d->path[0] = '\0';
	}
	fault_after();
	return rc;
}

static void
fault_forget_disks(void)
{
	struct fault_disk *d;
	int i;

	for (i = 0; i < FAULT_FILES; i++) {
		d = &fault_disk[i];
		while (d->writes > 0)
			free(d->write[--d->writes].data);
		free(d->image);
		d->image = NULL;
		d->synced = false;
		d->path[0] = '\0';
	}
}

/* This process's SQLite goes through it from now on; all that is there is on
 * the disk. */
static void
fault_install(enum fault_kind kind, int at, uint32_t seed)
{
	if (fault_real == NULL) {
		fault_real = sqlite3_vfs_find(NULL);
		fault_vfs = *fault_real;
		fault_vfs.zName = "fault";
		fault_vfs.szOsFile =
		    (int)sizeof(struct fault_file) + fault_real->szOsFile;
		fault_vfs.xOpen = fault_open;
		fault_vfs.xDelete = fault_delete;
		(void)sqlite3_vfs_register(&fault_vfs, 1);
	}
	fault_forget_disks();
	fault.kind = kind;
	fault.at = at;
	fault.count = 0;
	fault.seed = seed;
}

#endif
