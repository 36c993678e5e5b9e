/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * features.c - what the negotiated features mean for offloads.
 *
 * Two tables, one a direction: an offload is there when all features of its
 * row are.
 */
#include <stddef.h>

#include "ports/vhost/features.h"
#include "switch/base/offload.h"

#define BIT(feature) (UINT64_C(1) << VHOST_NET_F_##feature)
#define N(array)     (sizeof(array) / sizeof((array)[0]))

struct row {
	uint64_t features;
	uint8_t bits;
};

static const struct row sent[] = {
    {BIT(CSUM), OFFLOAD_CSUM},
    {BIT(CSUM) | BIT(HOST_TSO4), OFFLOAD_TSO4},
    {BIT(CSUM) | BIT(HOST_TSO6), OFFLOAD_TSO6},
    {BIT(CSUM) | BIT(HOST_ECN), OFFLOAD_ECN},
    {BIT(CSUM) | BIT(HOST_USO), OFFLOAD_USO},
};

/* USO is one offload to the switch, for both families: a guest that takes
 * only one of them gets its datagrams cut. */
static const struct row taken[] = {
    {BIT(GUEST_CSUM), OFFLOAD_CSUM | OFFLOAD_VALID},
    {BIT(GUEST_CSUM) | BIT(GUEST_TSO4), OFFLOAD_TSO4},
    {BIT(GUEST_CSUM) | BIT(GUEST_TSO6), OFFLOAD_TSO6},
    {BIT(GUEST_CSUM) | BIT(GUEST_ECN), OFFLOAD_ECN},
    {BIT(GUEST_CSUM) | BIT(GUEST_USO4) | BIT(GUEST_USO6), OFFLOAD_USO},
};

static uint8_t look_up(const struct row row[], size_t n, uint64_t features)
{
	uint8_t bits = 0;

	for (size_t i = 0; i < n; i++)
		if ((features & row[i].features) == row[i].features)
			bits |= row[i].bits;
	return bits;
}

uint64_t vhost_offload_features(void)
{
	uint64_t features = 0;

	for (size_t i = 0; i < N(sent); i++)
		features |= sent[i].features;
	for (size_t i = 0; i < N(taken); i++)
		features |= taken[i].features;
	return features;
}

uint8_t vhost_offloads_sent(uint64_t features)
{
	return look_up(sent, N(sent), features);
}

uint8_t vhost_offloads_taken(uint64_t features)
{
	return look_up(taken, N(taken), features);
}
