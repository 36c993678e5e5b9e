/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint_access.c - who may connect to a port's socket.
 *
 * QEMU under libvirt runs as a user of its own; a socket of its group and of
 * mode 0660 lets it in without anybody running chmod.  A default that cannot
 * be had (no such group, not ours to give) is passed over, a wish is not.  An
 * abstract name has no file that could have either; the same rule is applied to
 * the credentials of who connects.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/peer/endpoint.h"
#include "switch/base/log.h"
#include "switch/base/privilege.h"

enum { MODE_DEFAULT = 0660, MODE_MAX = 0777, GROUPS_MAX = 1024 };

void endpoint_access_default(struct endpoint_access *access, const char *group)
{
	*access = (struct endpoint_access){.mode = MODE_DEFAULT};
	if (group && getgrnam(group))
		snprintf(access->group, sizeof(access->group), "%s", group);
}

static int parse_mode(mode_t *mode, const char *word, struct err *e)
{
	char *end;
	unsigned long v = strtoul(word, &end, 8);

	if (word[0] < '0' || word[0] > '7' || *end || v > MODE_MAX) {
		err_set(e, -EINVAL, "mode %s is not an octal number up to %o",
		    word, MODE_MAX);
		err_arg(e, "mode");
		return -EINVAL;
	}
	*mode = (mode_t)v;
	return 0;
}

int endpoint_access_parse(struct endpoint_access *access, const char *group,
    const char *mode, struct err *e)
{
	struct endpoint_access parsed = *access;
	int rc = mode ? parse_mode(&parsed.mode, mode, e) : 0;

	if (rc)
		return rc;
	if (group && (strlen(group) > ENDPOINT_GROUP_MAX || !getgrnam(group))) {
		err_set(e, -EINVAL, "group %s does not exist", group);
		err_arg(e, "group");
		return -EINVAL;
	}
	if (group) {
		snprintf(parsed.group, sizeof(parsed.group), "%s", group);
		parsed.group_wanted = true;
	}
	*access = parsed;
	return 0;
}

/* A default that was not granted is forgotten, so that it is not shown. */
static int set_group(
    const char *path, struct endpoint_access *access, struct err *e)
{
	struct group *g = access->group[0] ? getgrnam(access->group) : NULL;
	int rc;

	if (!g)
		return 0;
	privilege_raise();
	rc = lchown(path, (uid_t)-1, g->gr_gid);
	privilege_lower();
	if (!rc)
		return 0;
	if (access->group_wanted) {
		rc = err_set(e, -errno, "giving %s to group %s: %m", path,
		    access->group);
		err_arg(e, "group");
		return rc;
	}
	log_debug("%s stays without group %s: %m", path, access->group);
	access->group[0] = '\0';
	return 0;
}

void endpoint_identify(int fd, char *text, size_t size)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	text[0] = '\0';
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len))
		snprintf(text, size, "pid %d uid %u", who.pid, who.uid);
}

/* Whether the peer at @fd is of group @gid. */
static bool is_member(int fd, const struct ucred *who, gid_t gid)
{
	gid_t more[GROUPS_MAX];
	socklen_t size = sizeof(more);

	if (who->gid == gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, more, &size))
		return false;
	for (unsigned i = 0; i < size / sizeof(more[0]); i++)
		if (more[i] == gid)
			return true;
	return false;
}

/* Connecting is writing, and nothing is forbidden to root. */
bool endpoint_admits(const struct endpoint *ep, int fd)
{
	const struct endpoint_access *a = &ep->access;
	struct group *g = a->group[0] ? getgrnam(a->group) : NULL;
	struct ucred who;
	socklen_t size = sizeof(who);

	if (!endpoint_is_abstract(ep))
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size))
		return false;
	if (!who.uid)
		return true;
	if (who.uid == geteuid())
		return a->mode & S_IWUSR;
	if (is_member(fd, &who, g ? g->gr_gid : getegid()))
		return a->mode & S_IWGRP;
	return a->mode & S_IWOTH;
}

int endpoint_set_access(
    struct endpoint *ep, const struct endpoint_access *access, struct err *e)
{
	const char *path = ep->address.sun_path;
	struct endpoint_access granted = *access;
	int rc;

	if (!ep->client && !endpoint_is_abstract(ep)) {
		rc = set_group(path, &granted, e);
		if (rc)
			return rc;
		if (chmod(path, granted.mode))
			return err_set(e, -errno, "mode of %s: %m", path);
	}
	ep->access = granted;
	return 0;
}
