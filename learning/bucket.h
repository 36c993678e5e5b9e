/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bucket.h - one cache line of the table: four slots behind one control word.
 *
 * Private to learning/.  The layout, and what the letters (A) to (C) pair
 * with, is drawn in fdb.h.  A writer that holds a bucket works on its own
 * copy of ctl; new tags become visible by bucket_unlock(), all at once.
 *
 * Threads: bucket_read() and what uses it by any; the slot of a bucket is
 * changed by who locked it, its stamp by anybody.
 */
#ifndef LEARNING_BUCKET_H
#define LEARNING_BUCKET_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

enum { BUCKET_SLOTS = 4 };

#define BUCKET_LOCKED (1ull << 32)
#define BUCKET_STEP   (1ull << 33)
#define BUCKET_TAGS   0xffffffffull
#define BUCKET_TAKEN  0x80808080u
#define BUCKET_STATIC (1ull << 63)
#define BUCKET_KEY    ((1ull << 60) - 1)

struct bucket {
	uint64_t ctl;
	uint64_t key[BUCKET_SLOTS]; /* BUCKET_STATIC or-ed in */
	uint32_t stamp[BUCKET_SLOTS];
	uint16_t port[BUCKET_SLOTS];
} __attribute__((aligned(64)));

static_assert(sizeof(struct bucket) == 64, "a bucket is one cache line");

/* What one slot holds. */
struct slot {
	uint64_t key;
	uint32_t stamp;
	uint16_t port;
};

static inline uint64_t bucket_ctl(const struct bucket *b)
{
	return __atomic_load_n(&b->ctl, __ATOMIC_ACQUIRE); /* (C) */
}

/* Whether the slots that had a tag in @ctl are still what they were when it
 * was read; a writer may be inside, but has not touched them. */
static inline bool bucket_is_same(const struct bucket *b, uint64_t ctl)
{
	uint64_t again = __atomic_load_n(&b->ctl, __ATOMIC_RELAXED);

	return !((again ^ ctl) & ~BUCKET_LOCKED);
}

static inline uint8_t bucket_tag(uint64_t ctl, unsigned i)
{
	return (uint8_t)(ctl >> 8 * i);
}

static inline uint64_t bucket_with_tag(uint64_t ctl, unsigned i, uint8_t tag)
{
	return (ctl & ~(0xffull << 8 * i)) | (uint64_t)tag << 8 * i;
}

/* The slot as it is at this moment; to be believed only by who holds @b or
 * finds it the same afterwards. */
static inline struct slot bucket_read(const struct bucket *b, unsigned i)
{
	return (struct slot){
	    .key = __atomic_load_n(&b->key[i], __ATOMIC_ACQUIRE),   /* (B) */
	    .port = __atomic_load_n(&b->port[i], __ATOMIC_ACQUIRE), /* (B) */
	    .stamp = __atomic_load_n(&b->stamp[i], __ATOMIC_RELAXED),
	};
}

/* Frees a slot of a bucket held with the copy @ctl: at once, because readers
 * must see the tag gone before they see what fills the slot next. */
static inline void bucket_clear(struct bucket *b, uint64_t *ctl, unsigned i)
{
	*ctl = bucket_with_tag(*ctl, i, 0);
	__atomic_store_n(&b->ctl, *ctl | BUCKET_LOCKED, __ATOMIC_RELAXED);
}

/* Fills a free slot of a bucket held, and gives it @tag in the copy @ctl. */
static inline void bucket_write(
    struct bucket *b, uint64_t *ctl, unsigned i, struct slot s, uint8_t tag)
{
	assert(!bucket_tag(*ctl, i));
	__atomic_store_n(&b->stamp[i], s.stamp, __ATOMIC_RELAXED);
	__atomic_store_n(&b->key[i], s.key, __ATOMIC_RELEASE);	 /* (B) */
	__atomic_store_n(&b->port[i], s.port, __ATOMIC_RELEASE); /* (B) */
	*ctl = bucket_with_tag(*ctl, i, tag);
}

/* Sends the address of a slot of a bucket held to another port. */
static inline void bucket_move(struct bucket *b, unsigned i, uint16_t port)
{
	__atomic_store_n(&b->port[i], port, __ATOMIC_RELEASE);
}

/* Marks the address as seen at @now; without the lock. */
static inline void bucket_stamp(struct bucket *b, unsigned i, uint32_t now)
{
	__atomic_store_n(&b->stamp[i], now, __ATOMIC_RELAXED);
}

/* Enters @b unless somebody is inside; *ctl is then the writer's copy. */
static inline bool bucket_trylock(struct bucket *b, uint64_t *ctl)
{
	*ctl = __atomic_load_n(&b->ctl, __ATOMIC_RELAXED);
	return !(*ctl & BUCKET_LOCKED) &&
	       __atomic_compare_exchange_n(&b->ctl, ctl, *ctl | BUCKET_LOCKED,
		   false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED); /* (A) */
}

/* Leaves @b and publishes the tags of @ctl. */
static inline void bucket_unlock(struct bucket *b, uint64_t ctl)
{
	ctl += BUCKET_STEP;
	__atomic_store_n(&b->ctl, ctl, __ATOMIC_RELEASE); /* (C) */
}

/* Bit 8 * i + 7 for each slot i that has a tag. */
static inline uint32_t bucket_taken(uint64_t ctl)
{
	uint32_t tags = (uint32_t)ctl;

	return (((tags & ~BUCKET_TAKEN) + ~BUCKET_TAKEN) | tags) & BUCKET_TAKEN;
}

/* Bit 8 * i + 7 for each slot i whose tag is @tag.  The lowest bit is exact;
 * one above it may be wrong, which comparing the key tells. */
static inline uint32_t bucket_match(uint64_t ctl, uint8_t tag)
{
	uint32_t x = (uint32_t)ctl ^ tag * 0x01010101u;

	return (x - 0x01010101u) & ~x & BUCKET_TAKEN;
}

static inline bool slot_is_static(const struct slot *s)
{
	return s->key & BUCKET_STATIC;
}

/* A dynamic address lives for @ageing_s seconds at least.  Signed, because
 * another worker's clock may be a second ahead of ours. */
static inline bool slot_is_expired(
    const struct slot *s, uint32_t now, int32_t ageing_s)
{
	return (int32_t)(now - s->stamp) > ageing_s && !slot_is_static(s);
}

#endif
