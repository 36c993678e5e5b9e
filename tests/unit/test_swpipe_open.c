/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_swpipe_open.c - what the client library agrees upon, and with whom not.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "ports/pipe/client/swpipe.h"
#include "tests/unit/swpipe_peer.h"

static struct peer peer;
static char why[SWPIPE_ERR_SIZE];

static struct swpipe *open_to(struct swpipe_options o, int expected)
{
	struct swpipe *p = NULL;
	int r;

	peer_open(&peer);
	o.socket = peer.path;
	r = swpipe_open(&p, &o, why);
	cr_assert_eq(r, expected, "%s", why);
	shutdown(peer.fd, SHUT_RDWR);
	peer_connected(&peer);
	return p;
}

static void refuse(struct swpipe_options o, int code, const char *sentence)
{
	struct swpipe *p = NULL;

	cr_assert_eq(swpipe_open(&p, &o, why), code, "%s", why);
	cr_assert_str_eq(why, sentence);
	cr_assert_eq(swpipe_open(&p, &o, NULL), code);
	cr_assert_null(p);
}

Test(swpipe_open, defaults)
{
	struct swpipe *p;

	peer_init(&peer);
	p = open_to((struct swpipe_options){0}, 0);
	cr_assert_eq(swpipe_n_queues(p), 1);
	cr_assert_eq(swpipe_n_slots(swpipe_queue(p, 0)), 1024);
	cr_assert_eq(swpipe_buf_size(swpipe_queue(p, 0)), 2048);
	cr_assert_null(swpipe_queue(p, 1));
	cr_assert_eq(peer.init.id, 0);
	cr_assert_eq(peer.init.version, MEMIF_VERSION);
	cr_assert_eq(peer.init.secret[0], 0);
	swpipe_close(p);
	peer_close(&peer);
}

Test(swpipe_open, the_server_limits_what_is_wanted)
{
	struct swpipe *p;

	peer_init(&peer);
	peer.hello.max_ring_to_server = 2;
	peer.hello.max_ring_to_client = 1;
	peer.hello.max_log2_ring_size = 8;
	p = open_to((struct swpipe_options){.n_queues = 4, .n_slots = 4096}, 0);
	cr_assert_eq(swpipe_n_queues(p), 2);
	cr_assert_eq(swpipe_n_slots(swpipe_queue(p, 1)), 256);
	cr_assert_eq(peer.n_to_server, 2);
	cr_assert_eq(peer.n_to_client, 2);
	swpipe_close(p);
	peer_close(&peer);
}

Test(swpipe_open, the_server_gets_id_name_and_secret)
{
	struct swpipe *p;

	peer_init(&peer);
	p = open_to((struct swpipe_options){.id = 77,
			.name = "an application with a very long name",
			.secret = "a secret of 24 bytes ..."},
	    0);
	cr_assert_eq(peer.init.id, 77);
	cr_assert_eq(
	    memcmp(peer.init.secret, "a secret of 24 bytes ...", 24), 0);
	cr_assert_eq(peer.init.name[MEMIF_NAME_SIZE - 1], 0);
	cr_assert_eq(
	    memcmp(peer.init.name, "an application with a very long", 32), 0);
	swpipe_close(p);
	peer_close(&peer);
}

Test(swpipe_open, queues_do_not_share_memory)
{
	struct swpipe *p;
	struct swpipe_buf b[8];

	peer_init(&peer);
	p = open_to((struct swpipe_options){.n_queues = 4, .n_slots = 8}, 0);
	for (unsigned i = 0; i < 4; i++) {
		struct swpipe_queue *q = swpipe_queue(p, i);

		cr_assert_eq(swpipe_tx_reserve(q, b, 8), 8);
		for (unsigned k = 0; k < 8; k++)
			memset(b[k].data, (int)(i * 8 + k), b[k].len);
		swpipe_tx_submit(q, b, 8);
	}
	for (unsigned i = 0; i < 32; i++) {
		struct peer_queue *q = &peer.queue[i / 8];
		struct memif_desc *d = peer_desc(q, q->to_server, i % 8);

		for (uint32_t k = 0; k < d->len; k++)
			cr_assert_eq(peer_data(&peer, d)[k], i);
	}
	swpipe_close(p);
	peer_close(&peer);
}

Test(swpipe_open, a_refusal_is_quoted)
{
	peer_init(&peer);
	peer.refuses_init = "no such id";
	cr_assert_null(open_to((struct swpipe_options){0}, -ECONNREFUSED));
	cr_assert_str_eq(why, "the server hung up: no such id");
	peer_close(&peer);
}

Test(swpipe_open, another_version_is_not_spoken)
{
	peer_init(&peer);
	peer.hello.min_version = peer.hello.max_version = 3 << 8;
	cr_assert_null(open_to((struct swpipe_options){0}, -EPROTONOSUPPORT));
	cr_assert_str_eq(why, "the server does not speak memif 2.0");
	peer_close(&peer);
}

Test(swpipe_open, tiny_rings_are_refused)
{
	peer_init(&peer);
	peer.hello.max_log2_ring_size = 1;
	cr_assert_null(open_to((struct swpipe_options){0}, -EPROTO));
	cr_assert_str_eq(why, "the server takes rings of 2 slots at most");
	peer_close(&peer);
}

Test(swpipe_open, nobody_there)
{
	refuse((struct swpipe_options){.socket = "/nonexistent"}, -ENOENT,
	    "nobody answers at /nonexistent: No such file or directory");
	refuse((struct swpipe_options){.socket = "@no-such-swpipe"},
	    -ECONNREFUSED,
	    "nobody answers at @no-such-swpipe: Connection refused");
}

Test(swpipe_open, wrong_options)
{
	const char *s = "/nonexistent";
	char path[200];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	refuse((struct swpipe_options){0}, -EINVAL, "say which socket");
	refuse((struct swpipe_options){.socket = path}, -ENAMETOOLONG,
	    "socket xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx... is longer than "
	    "107 bytes");
	refuse((struct swpipe_options){.socket = s, .n_slots = 1000}, -EINVAL,
	    "1000 slots are not a power of two from 8 to 32768");
	refuse((struct swpipe_options){.socket = s, .n_slots = 65536}, -EINVAL,
	    "65536 slots are not a power of two from 8 to 32768");
	refuse((struct swpipe_options){.socket = s, .buf_size = 1}, -EINVAL,
	    "buffers of 1 bytes are not within 64 to 65536");
	refuse((struct swpipe_options){.socket = s, .n_queues = 257}, -EINVAL,
	    "257 queues are more than 256");
	refuse((struct swpipe_options){.socket = s,
		   .secret = "longer than twenty-four bytes"},
	    -EINVAL, "the secret is longer than 24 bytes");
}
