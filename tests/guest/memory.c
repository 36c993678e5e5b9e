/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.c - the memory of a guest, made to be shared and to be spied on.
 *
 * Regions are files between canaries; the three kinds of address are kept
 * apart by giving each its own range and order.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/guest/memory.h"

static const uint64_t gpa_first = UINT64_C(0x40000000);
static const uint64_t gpa_hole = UINT64_C(0x00200000);
static const uint64_t uva_first = UINT64_C(0x600000000000);
static const uint64_t uva_stride = UINT64_C(0x0000100000000);

static uint8_t canary_byte(uint64_t offset)
{
	return (uint8_t)(0xc5 ^ offset ^ (offset >> 8));
}

static void canary_fill(struct guest_region *r)
{
	for (uint64_t i = 0; i < GUEST_PAGE; i++) {
		r->map[i] = canary_byte(i);
		r->base[r->size + i] = canary_byte(i);
	}
}

static bool canary_intact(const struct guest_region *r)
{
	for (uint64_t i = 0; i < GUEST_PAGE; i++)
		if (r->map[i] != canary_byte(i) ||
		    r->base[r->size + i] != canary_byte(i))
			return false;
	return true;
}

static const struct guest_region *region_of(
    const struct guest_memory *m, uint64_t gpa)
{
	for (unsigned i = 0; i < m->n; i++)
		if (gpa - m->region[i].gpa < m->region[i].size)
			return &m->region[i];
	return NULL;
}

/* The file of @r, with canaries and @flags. */
static int region_create(struct guest_region *r, int flags)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	unsigned how = MFD_CLOEXEC;

	if (!(flags & GUEST_UNSEALABLE))
		how |= MFD_ALLOW_SEALING;
	r->fd = memfd_create("guest", how);
	if (r->fd < 0)
		return -1;
	r->offset = GUEST_PAGE;
	r->map_size = r->size + 2 * GUEST_PAGE;
	if (ftruncate(r->fd, (off_t)r->map_size) != 0)
		goto close_fd;
	if ((flags & GUEST_SEALED) && fcntl(r->fd, F_ADD_SEALS, seals) != 0)
		goto close_fd;
	r->map = mmap(
	    NULL, r->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (r->map == MAP_FAILED)
		goto close_fd;
	r->base = r->map + r->offset;
	canary_fill(r);
	return 0;
close_fd:
	close(r->fd);
	return -1;
}

void guest_memory_init(struct guest_memory *m)
{
	memset(m, 0, sizeof(*m));
}

void guest_memory_fini(struct guest_memory *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		munmap(m->region[i].map, m->region[i].map_size);
		if (m->region[i].fd >= 0)
			close(m->region[i].fd);
	}
	m->n = 0;
}

struct guest_region *guest_memory_add_at(
    struct guest_memory *m, uint64_t gpa, uint64_t size, int flags)
{
	struct guest_region *r = &m->region[m->n];

	if (m->n == GUEST_REGIONS_MAX)
		return NULL;
	*r = (struct guest_region){
	    .gpa = gpa,
	    .uva = uva_first - m->n * uva_stride,
	    .size = size,
	};
	if (region_create(r, flags) != 0)
		return NULL;
	m->n++;
	return r;
}

struct guest_region *guest_memory_add(
    struct guest_memory *m, uint64_t size, int flags)
{
	uint64_t gpa = gpa_first;

	for (unsigned i = 0; i < m->n; i++) {
		uint64_t end = m->region[i].gpa + m->region[i].size;

		if (gpa < end + gpa_hole)
			gpa = end + gpa_hole;
	}
	return guest_memory_add_at(m, gpa, size, flags);
}

uint64_t guest_memory_alloc(
    struct guest_memory *m, uint64_t size, uint64_t align)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct guest_region *r = &m->region[m->next++ % m->n];
		uint64_t at = (r->used + align - 1) & ~(align - 1);

		if (at <= r->size && size <= r->size - at) {
			r->used = at + size;
			return r->gpa + at;
		}
	}
	return 0;
}

void *guest_memory_at(const struct guest_memory *m, uint64_t gpa, uint64_t len)
{
	const struct guest_region *r = region_of(m, gpa);

	if (!r || len > r->size - (gpa - r->gpa))
		return NULL;
	return r->base + (gpa - r->gpa);
}

uint64_t guest_memory_uva(const struct guest_memory *m, uint64_t gpa)
{
	const struct guest_region *r = region_of(m, gpa);

	return r ? r->uva + (gpa - r->gpa) : 0;
}

/* Copies what of [gpa, gpa + len) lies in one region; its length, or 0. */
static uint64_t copy_piece(const struct guest_memory *m, uint64_t gpa,
    uint8_t *to, const uint8_t *from, uint64_t len)
{
	const struct guest_region *r = region_of(m, gpa);
	uint64_t left;

	if (!r)
		return 0;
	left = r->size - (gpa - r->gpa);
	if (left > len)
		left = len;
	if (to)
		memcpy(to, r->base + (gpa - r->gpa), left);
	else
		memcpy(r->base + (gpa - r->gpa), from, left);
	return left;
}

bool guest_memory_write(
    const struct guest_memory *m, uint64_t gpa, const void *from, uint64_t len)
{
	const uint8_t *p = from;
	uint64_t n;

	for (; len; len -= n, gpa += n, p += n) {
		n = copy_piece(m, gpa, NULL, p, len);
		if (!n)
			return false;
	}
	return true;
}

bool guest_memory_read(
    const struct guest_memory *m, uint64_t gpa, void *to, uint64_t len)
{
	uint8_t *p = to;
	uint64_t n;

	for (; len; len -= n, gpa += n, p += n) {
		n = copy_piece(m, gpa, p, NULL, len);
		if (!n)
			return false;
	}
	return true;
}

bool guest_memory_canaries_intact(const struct guest_memory *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (!canary_intact(&m->region[i]))
			return false;
	return true;
}
