/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program.c - our XDP program on a card.
 *
 * The program is compiled when the switch is and carried in the binary, as a
 * skeleton that bpftool makes of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ports/xdp/program.h"
#include "ports/xdp/program.skel.h"
#include "ports/xdp/umem.h"
#include "switch/base/log.h"
#include "switch/base/privilege.h"

enum { HIGH_FD = 512 };

struct program {
	struct program_bpf *skeleton; /* NULL: another process loaded it */
	int link_fd, map_fd;
};

/* libbpf explains itself at length; our sentences come from errno. */
static int log_libbpf(
    enum libbpf_print_level level, const char *format, va_list args)
{
	char line[256];

	(void)level;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
	return 0;
}

/* Its name the kernel tells to nobody without CAP_SYS_ADMIN. */
static int occupied(const struct link *link, struct err *e)
{
	uint32_t id = link->xdp_prog_id;

	if (!id && bpf_xdp_query_id((int)link->ifindex, 0, &id))
		id = 0;
	err_set(e, -EBUSY, "%s has an XDP program already, number %u",
	    link->name, id);
	err_hint(e,
	    "`ip link set dev %s xdp off` removes it, or whoever holds it "
	    "(`bpftool prog show id %u`, `bpftool link`)",
	    link->name, id);
	return -EBUSY;
}

static int load(struct program *p, struct err *e)
{
	libbpf_set_print(log_libbpf);
	privilege_raise();
	p->skeleton = program_bpf__open_and_load();
	privilege_lower();
	if (p->skeleton) {
		p->map_fd = bpf_map__fd(p->skeleton->maps.sockets);
		return 0;
	}
	if (errno != EPERM)
		return err_set(
		    e, -errno, "the XDP program cannot be loaded: %m");
	err_set(e, -EPERM, "the XDP program cannot be loaded: swd may not");
	err_hint(e, "it needs CAP_BPF and CAP_NET_ADMIN");
	return -EPERM;
}

/* The kernel closes the files of a process that ends from the highest number
 * down.  Programs come off first, since each socket takes it a grace period:
 * with 16 queues on two cards, they are gone after 0.1 instead of 0.8 s. */
static int move_up(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (high < 0)
		return fd;
	close(fd);
	return high;
}

static int attach(
    struct program *p, const struct link *link, bool generic, struct err *e)
{
	LIBBPF_OPTS(bpf_link_create_opts, options,
	    .flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	int program = bpf_program__fd(p->skeleton->progs.swd_to_socket);
	int rc;

	privilege_raise();
	p->link_fd =
	    bpf_link_create(program, (int)link->ifindex, BPF_XDP, &options);
	privilege_lower();
	if (p->link_fd >= 0) {
		p->link_fd = move_up(p->link_fd);
		return 0;
	}
	if (errno == EBUSY || errno == EEXIST)
		return occupied(link, e);
	rc = -errno;
	err_set(e, rc, "%s runs no XDP program%s: %m", link->name,
	    generic ? "" : " in its driver");
	if (!generic && link->mtu > UMEM_MTU_MAX)
		err_hint(
		    e, "ip link set dev %s mtu %d", link->name, UMEM_MTU_MAX);
	else if (!generic)
		err_hint(e, "`mode auto` takes the best way there is");
	return rc;
}

int program_open(struct program **program, const struct link *link,
    bool generic, struct err *e)
{
	struct program *p;
	int rc;

	if (link->xdp_prog_id)
		return occupied(link, e);
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(e, -ENOMEM, "no memory for an XDP program");
	p->link_fd = p->map_fd = -1;
	rc = load(p, e);
	if (!rc)
		rc = attach(p, link, generic, e);
	if (rc) {
		program_close(p);
		return rc;
	}
	*program = p;
	return 0;
}

int program_serve(struct program *program, unsigned q, int fd, struct err *e)
{
	int rc;

	privilege_raise(); /* kernels before 6.3 */
	rc = bpf_map_update_elem(program->map_fd, &q, &fd, BPF_ANY);
	privilege_lower();
	if (!rc)
		return 0;
	return err_set(
	    e, -errno, "queue %u cannot be given to its socket: %m", q);
}

void program_export(
    const struct program *program, struct handover *h, struct json_object *to)
{
	handover_put_fd(h, to, "program_link", program->link_fd);
	handover_put_fd(h, to, "program_map", program->map_fd);
}

int program_import(struct program **program, struct handover *h,
    struct json_object *from, struct err *e)
{
	struct program *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, -ENOMEM, "no memory for an XDP program");
	p->link_fd = handover_take_fd(h, from, "program_link");
	p->map_fd = handover_take_fd(h, from, "program_map");
	if (p->link_fd < 0 || p->map_fd < 0) {
		program_close(p);
		return err_set(e, -EINVAL, "an XDP program is missing");
	}
	p->link_fd = move_up(p->link_fd);
	*program = p;
	return 0;
}

void program_close(struct program *program)
{
	if (!program)
		return;
	if (program->link_fd >= 0)
		close(program->link_fd);
	if (program->skeleton)
		program_bpf__destroy(program->skeleton);
	else if (program->map_fd >= 0)
		close(program->map_fd);
	free(program);
}
