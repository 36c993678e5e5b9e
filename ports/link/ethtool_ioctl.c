/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ethtool_ioctl.c - what ethtool's generic netlink cannot do everywhere.
 *
 * Netlink reads the table of receive-side scaling but sets it only from
 * kernel 6.17 on, and it has no question for the driver's name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/link/ethtool.h"
#include "switch/base/privilege.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>

enum { RSS_ENTRIES_MAX = 65536 /* a bound for what a driver may claim */ };

/* Runs @command, a struct ethtool_*, on interface @name; 0 or -errno. */
static int command(const char *name, void *command)
{
	struct ifreq request = {.ifr_data = command};
	int fd, rc;

	if (!link_name_ok(name))
		return -EINVAL;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	privilege_raise();
	rc = ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
	privilege_lower();
	close(fd);
	return rc;
}

int ethtool_driver(const char *name, char driver[ETHTOOL_DRIVER_SIZE])
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	int rc = command(name, &info);

	if (!rc)
		snprintf(driver, ETHTOOL_DRIVER_SIZE, "%.*s",
		    (int)sizeof(info.driver) - 1, info.driver);
	return rc;
}

/* A command with room for a table of @n entries; to be freed. */
static struct ethtool_rxfh_indir *table_new(uint32_t cmd, unsigned n)
{
	struct ethtool_rxfh_indir *t =
	    calloc(1, sizeof(*t) + n * sizeof(t->ring_index[0]));

	if (t) {
		t->cmd = cmd;
		t->size = n;
	}
	return t;
}

/* How many entries the table has; asked with no room for any. */
static int table_size(const char *name, unsigned *n)
{
	struct ethtool_rxfh_indir t = {.cmd = ETHTOOL_GRXFHINDIR};
	int rc = command(name, &t);

	if (rc)
		return rc;
	if (!t.size || t.size > RSS_ENTRIES_MAX)
		return -EOPNOTSUPP;
	*n = t.size;
	return 0;
}

int ethtool_rss_get(const char *name, uint32_t **indir, unsigned *n)
{
	struct ethtool_rxfh_indir *t;
	unsigned size;
	int rc = table_size(name, &size);

	if (rc)
		return rc;
	t = table_new(ETHTOOL_GRXFHINDIR, size);
	if (!t)
		return -ENOMEM;
	rc = command(name, t);
	if (!rc && t->size != size)
		rc = -EAGAIN;
	if (rc) {
		free(t);
		return rc;
	}
	memmove(t, t->ring_index, size * sizeof(t->ring_index[0]));
	*indir = (uint32_t *)t;
	*n = size;
	return 0;
}

/* The sentence for a spread that could not be set. */
static int refuse(const char *name, int rc, struct err *e)
{
	if (rc == -EOPNOTSUPP)
		return err_set(e, rc,
		    "the driver of interface %s does not let "
		    "the spread over receive queues be set",
		    name);
	return err_set(e, rc,
	    "cannot set how interface %s spreads over its "
	    "receive queues: %s",
	    name, strerror(-rc));
}

int ethtool_rss_set(
    const char *name, const uint32_t *indir, unsigned n, struct err *e)
{
	struct ethtool_rxfh_indir *t;
	int rc = -EINVAL;

	if (n > RSS_ENTRIES_MAX)
		return refuse(name, rc, e);
	t = table_new(ETHTOOL_SRXFHINDIR, n);
	if (!t)
		return refuse(name, -ENOMEM, e);
	if (n)
		memcpy(t->ring_index, indir, n * sizeof(indir[0]));
	rc = command(name, t);
	free(t);
	return rc ? refuse(name, rc, e) : 0;
}

int ethtool_rss_spread(
    const char *name, const uint8_t queues[], unsigned n_queues, struct err *e)
{
	uint32_t *indir;
	unsigned n;
	int rc = n_queues ? table_size(name, &n) : -EINVAL;

	if (rc)
		return refuse(name, rc, e);
	indir = calloc(n, sizeof(indir[0]));
	if (!indir)
		return refuse(name, -ENOMEM, e);
	for (unsigned i = 0; i < n; i++)
		indir[i] = queues[i % n_queues];
	rc = ethtool_rss_set(name, indir, n, e);
	free(indir);
	return rc;
}
