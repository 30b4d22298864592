/* base/fdset.c - sets of descriptors.
 * SPDX-License-Identifier: MIT */
#include "base/fdset.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"

struct entry {
	int64_t id;
	int fd;
	char *note;
};

/* Descriptors are the process's, whatever machines it has.  Sorted by id; under the mutex. */
static GMutex mutex;
static GArray *entries; /* struct entry */

static struct entry *entry_at(unsigned i) { return &g_array_index(entries, struct entry, i); }

static unsigned count(void) { return entries ? entries->len : 0; }

static void remove_at(unsigned i)
{
	close(entry_at(i)->fd);
	g_free(entry_at(i)->note);
	g_array_remove_index(entries, i);
}

/* The smallest id from 0 on that is not taken. */
static int64_t free_id(void)
{
	int64_t id = 0;

	for (unsigned i = 0; i < count(); i++)
		if (entry_at(i)->id == id)
			id++;
	return id;
}

int64_t fdset_add(int64_t id, int fd, const char *note, struct err *err)
{
	struct entry e = { .id = id, .fd = fd };
	unsigned at = 0;

	g_mutex_lock(&mutex);
	if (!entries)
		entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
	if (count() == FDSET_MAX_FDS) {
		g_mutex_unlock(&mutex);
		close(fd);
		err_set(err, EMFILE, "there are %d descriptors in sets already", FDSET_MAX_FDS);
		return -1;
	}
	if (id < 0)
		e.id = free_id();
	e.note = g_strdup(note);
	while (at < count() && entry_at(at)->id <= e.id)
		at++;
	g_array_insert_val(entries, at, e);
	g_mutex_unlock(&mutex);
	return e.id;
}

bool fdset_remove(int64_t id, int fd, struct err *err)
{
	bool found = false;

	g_mutex_lock(&mutex);
	for (unsigned i = count(); i-- > 0;) {
		if (entry_at(i)->id != id || (fd >= 0 && entry_at(i)->fd != fd))
			continue;
		remove_at(i);
		found = true;
	}
	g_mutex_unlock(&mutex);
	if (found)
		return true;
	if (fd < 0)
		return err_set(err, ENOENT,
			       "File descriptor named 'fdset-id:%" PRId64 "' not found", id);
	return err_set(err, ENOENT, "File descriptor named 'fdset-id:%" PRId64 ", fd:%d' not found",
		       id, fd);
}

void fdset_each(void (*fn)(int64_t id, int fd, const char *note, void *), void *opaque)
{
	g_mutex_lock(&mutex);
	for (unsigned i = 0; i < count(); i++)
		fn(entry_at(i)->id, entry_at(i)->fd, entry_at(i)->note, opaque);
	g_mutex_unlock(&mutex);
}

void fdset_clear(void)
{
	g_mutex_lock(&mutex);
	while (count())
		remove_at(count() - 1);
	g_mutex_unlock(&mutex);
}

/* "/dev/fdset/ID"; false: another path. */
static bool parse_path(const char *path, int64_t *id)
{
	const char *digits = path + strlen("/dev/fdset/");
	char *end;

	if (!g_str_has_prefix(path, "/dev/fdset/"))
		return false;
	*id = g_ascii_strtoll(digits, &end, 10);
	return *digits >= '0' && *digits <= '9' && !*end;
}

static int duplicate(int64_t id, int flags)
{
	bool is_there = false;
	int fd = -1, error = ENOENT;

	g_mutex_lock(&mutex);
	for (unsigned i = 0; fd < 0 && i < count(); i++) {
		int mode;

		if (entry_at(i)->id != id)
			continue;
		is_there = true;
		mode = fcntl(entry_at(i)->fd, F_GETFL);
		if (mode < 0 || (mode & O_ACCMODE) != (flags & O_ACCMODE))
			continue;
		fd = fcntl(entry_at(i)->fd, F_DUPFD_CLOEXEC, 0);
		error = errno;
	}
	g_mutex_unlock(&mutex);
	if (fd < 0)
		errno = is_there && error == ENOENT ? EACCES : error;
	return fd;
}

int fdset_open(const char *path, int flags, unsigned mode)
{
	int64_t id;

	if (parse_path(path, &id))
		return duplicate(id, flags);
	return open(path, flags | O_CLOEXEC, mode);
}
