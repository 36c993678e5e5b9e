/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handover.c - what one process leaves to another: words and descriptors.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ports/handover.h"

static int add(struct handover *h, int fd)
{
	unsigned size = h->size ? 2 * h->size : 64;
	int *more;

	if (h->n == h->size) {
		more = realloc(h->fd, size * sizeof(*more));
		if (!more)
			return -ENOMEM;
		h->fd = more;
		h->size = size;
	}
	h->fd[h->n++] = fd;
	return 0;
}

void handover_put_fd(
    struct handover *h, struct json_object *to, const char *key, int fd)
{
	if (fd < 0)
		return;
	if (add(h, fd)) {
		h->failed = true;
		return;
	}
	json_object_object_add(to, key, json_object_new_int((int)h->n - 1));
}

int handover_take_fd(
    struct handover *h, struct json_object *from, const char *key)
{
	struct json_object *number;
	int64_t i;
	int fd;

	if (!json_object_object_get_ex(from, key, &number))
		return -1;
	i = json_object_get_int64(number);
	if (i < 0 || i >= h->n)
		return -1;
	fd = h->fd[i];
	h->fd[i] = -1;
	return fd;
}

int handover_receive_fd(struct handover *h, int fd)
{
	int rc = add(h, fd);

	if (rc)
		close(fd);
	h->arrived = true;
	return rc;
}

uint64_t handover_u64(struct json_object *from, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(from, key, &v)
		   ? json_object_get_uint64(v)
		   : 0;
}

void handover_close(struct handover *h)
{
	for (unsigned i = 0; h->arrived && i < h->n; i++)
		if (h->fd[i] >= 0)
			close(h->fd[i]);
	free(h->fd);
	*h = (struct handover){0};
}
