/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_offload.c - any virtio-net header before any frame.
 *
 * The input says what is different in a sound header and frame.
 * What is accepted must be within what was negotiated, within the frame, and
 * bounded in segments; must survive being handed over to a receiver; and must
 * come out complete, with every byte of payload, when it is completed.  The
 * head and each segment end where their memory does.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/checksum.h"
#include "switch/base/completion.h"
#include "switch/base/frame.h"
#include "tests/fuzz/sound.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_csum(const struct offload *o, uint32_t len)
{
	if (!(o->bits & OFFLOAD_CSUM))
		return;
	assert(o->csum_start >= FRAME_LEN_MIN);
	assert(o->csum_start + o->csum_offset + 2u <= len);
}

static void check_gso(const struct offload *o, uint32_t head_len, uint32_t len)
{
	unsigned kinds = !!(o->bits & OFFLOAD_TSO4) +
			 !!(o->bits & OFFLOAD_TSO6) + !!(o->bits & OFFLOAD_USO);

	if (!(o->bits & OFFLOAD_GSO)) {
		assert(!o->gso_size && !o->hdr_len && !(o->bits & OFFLOAD_ECN));
		return;
	}
	assert(kinds == 1 && o->bits & OFFLOAD_CSUM);
	assert(!(o->bits & OFFLOAD_ECN) || !(o->bits & OFFLOAD_USO));
	assert(o->hdr_len <= head_len && o->csum_start < o->hdr_len);
	assert(o->gso_size && len - o->hdr_len > o->gso_size);
	assert(len - o->hdr_len <= o->gso_size * 1024u);
}

/* A second parse of what we would hand over must say the same. */
static void check_round_trip(const struct offload *o, const uint8_t *head,
    uint32_t head_len, uint32_t len)
{
	struct virtio_net_hdr hdr;
	struct offload again;

	offload_to_hdr(o, &hdr);
	assert(offload_parse(&again, &hdr, head, head_len, len, o->bits) ==
	       DROP_NONE);
	assert(again.bits == o->bits && again.hdr_len == o->hdr_len &&
	       again.gso_size == o->gso_size &&
	       again.csum_start == o->csum_start &&
	       again.csum_offset == o->csum_offset);
}

static uint8_t pattern(uint32_t at)
{
	return (uint8_t)(at ^ at >> 8 ^ 0x5a);
}

/* The frame that begins with @head, its rest in segments of up to @most. */
static struct frame make_frame(
    uint8_t *head, uint32_t head_len, uint32_t len, uint32_t most)
{
	struct frame f = {
	    .head = head, .head_len = (uint16_t)head_len, .len = len};

	f.segs = malloc(FRAME_SEGS_MAX * sizeof(*f.segs));
	for (uint32_t at = head_len, n; at < len; at += n) {
		uint8_t *piece;

		n = f.n_segs % 3 ? most : 1 + most / 7;
		if (n > len - at || f.n_segs == FRAME_SEGS_MAX - 1)
			n = len - at;
		piece = malloc(n);
		for (uint32_t i = 0; i < n; i++)
			piece[i] = pattern(at + i);
		f.segs[f.n_segs++] = (struct frame_seg){piece, n};
	}
	return f;
}

static void free_frame(struct frame *f)
{
	for (unsigned i = 0; i < f->n_segs; i++)
		free((void *)f->segs[i].data);
	free(f->segs);
}

/* The payload of segment @f is what the original has at @at; returns where
 * the next one begins. */
static uint32_t check_payload(
    const struct frame *f, const uint8_t *head, uint32_t head_len, uint32_t at)
{
	uint32_t len = f->head_len;

	for (unsigned i = 0; i < f->n_segs; i++) {
		assert(f->segs[i].len);
		for (uint32_t k = 0; k < f->segs[i].len; k++, at++)
			assert(f->segs[i].data[k] ==
			       (at < head_len ? head[at] : pattern(at)));
		len += f->segs[i].len;
	}
	assert(len == f->len);
	return at;
}

/* To a port that accepts @accepts. */
static void check_completion(struct frame *f, uint8_t accepts)
{
	static struct batch room;
	struct frame *out[BATCH_MAX];
	struct offload o = f->offload;
	struct completion c;
	uint32_t at = o.hdr_len;
	unsigned n;

	completion_begin(&c, &f, 1, accepts, &room);
	while ((n = completion_next(&c, out)))
		for (unsigned i = 0; i < n; i++) {
			assert(!completion_is_needed(
			    out[i]->offload.bits, accepts));
			if (out[i] == f)
				return;
			assert(out[i]->head_len == o.hdr_len);
			assert(out[i]->len <= o.hdr_len + o.gso_size);
			at = check_payload(out[i], f->head, f->head_len, at);
		}
	assert(at == f->len || c.n_refused);
	assert(!c.n_refused || o.csum_start + o.csum_offset + 2u > f->head_len);
}

/* The header that asks for segmentation of a sound frame. */
static struct virtio_net_hdr sound_hdr(unsigned kind)
{
	struct virtio_net_hdr hdr;
	struct offload o = {.bits = OFFLOAD_CSUM,
	    .gso_size = 200,
	    .csum_start = sound_l4(kind)};

	o.csum_offset = kind & SOUND_TCP ? TCP_CSUM : UDP_CSUM;
	if (kind & SOUND_TCP)
		o.bits |= kind & SOUND_IP4 ? OFFLOAD_TSO4 : OFFLOAD_TSO6;
	else
		o.bits |= OFFLOAD_USO;
	offload_to_hdr(&o, &hdr);
	return hdr;
}

static void spoil(void *what, const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)what)[i] ^= data[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t sound[FRAME_HEAD_MAX], *head, allowed;
	struct offload o, untouched;
	struct virtio_net_hdr hdr;
	struct frame f;
	uint32_t len, head_len;

	if (size < 16 + FRAME_LEN_MIN)
		return 0;
	hdr = sound_hdr(data[11] >> 1);
	spoil(&hdr, data, VIRTIO_NET_HDR_LEN_LEGACY);
	allowed = (uint8_t)~data[10];
	len = data[12] | (uint32_t)data[13] << 8;
	size -= 16;
	head_len = size < FRAME_HEAD_MAX ? (uint32_t)size : FRAME_HEAD_MAX;
	len = data[11] & 1 ? head_len : head_len + len;
	if (len > FRAME_LEN_MAX)
		len = FRAME_LEN_MAX;
	sound_frame(sound, sizeof(sound), data[11] >> 1);
	spoil(sound, data + 16, head_len);
	head = malloc(head_len);
	memcpy(head, sound, head_len);
	memset(&o, 0x77, sizeof(o));
	untouched = o;
	if (offload_parse(&o, &hdr, head, head_len, len, allowed) ==
	    DROP_NONE) {
		assert(!(o.bits & ~allowed));
		check_csum(&o, len);
		check_gso(&o, head_len, len);
		check_round_trip(&o, head, head_len, len);
		f = make_frame(head, head_len, len, 1 + data[14] * 16u);
		f.offload = o;
		check_completion(&f, data[15]);
		check_completion(&f, 0);
		free_frame(&f);
	} else {
		assert(!memcmp(&o, &untouched, sizeof(o)));
	}
	free(head);
	return 0;
}
