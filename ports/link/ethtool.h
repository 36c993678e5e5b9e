/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ethtool.h - what the driver of a card can be asked and told.
 *
 * Queues and offloads go through ethtool's generic netlink (ethtool.c); the
 * spread of receive-side scaling and the driver's name through its ioctl
 * (ethtool_ioctl.c), which is the only way to set the one before kernel 6.17
 * and to learn the other.
 *
 * Threads: any; meant for the control thread.  Ownership: answers are copies.
 * Settings outlive the process: whoever changes one reads the value before
 * and puts it back.
 */
#ifndef PORTS_LINK_ETHTOOL_H
#define PORTS_LINK_ETHTOOL_H

#include "ports/link/link.h"

enum { ETHTOOL_DRIVER_SIZE = 32 };

/* Interrupt vectors with a receive queue, a transmit queue, or one of each;
 * <linux/ethtool.h> has another struct ethtool_channels. */
struct link_channels {
	unsigned rx, tx, combined;
};

/* The channels in use and the most there can be; either may be NULL.  Returns
 * 0, -EOPNOTSUPP if the driver has no such notion, -ENODEV, ... */
int ethtool_channels_get(
    unsigned ifindex, struct link_channels *now, struct link_channels *max);

/* How many receive (transmit) queues are in use, at least 1: counted by the
 * driver's channels, otherwise in /sys. */
int ethtool_n_rx_queues(const struct link *l);
int ethtool_n_tx_queues(const struct link *l);

/* Whether offload @feature ("rx-vlan-hw-parse": what `ethtool -k` calls
 * rx-vlan-offload) is on, and whether it can be switched.  Returns 0,
 * -EOPNOTSUPP if the kernel knows no such feature, -ENODEV, ... */
int ethtool_feature_get(
    unsigned ifindex, const char *feature, bool *on, bool *changeable);

/* Switches it.  Returns 0 only if it is then as wanted, -EOPNOTSUPP if it
 * stayed as it was. */
int ethtool_feature_set(
    unsigned ifindex, const char *feature, bool on, struct err *e);

/* The table by which the card spreads what it receives over its queues:
 * (*indir)[0..*n), to be freed by the caller.  Returns 0, or -EOPNOTSUPP
 * where the driver has none. */
int ethtool_rss_get(const char *name, uint32_t **indir, unsigned *n);

/* Writes a whole table.  @n is the size that ethtool_rss_get() gave, or 0 for
 * the driver's default. */
int ethtool_rss_set(
    const char *name, const uint32_t *indir, unsigned n, struct err *e);

/* Spreads over queues[0..n_queues), evenly, and over no other. */
int ethtool_rss_spread(
    const char *name, const uint8_t queues[], unsigned n_queues, struct err *e);

/* The name of the driver, as of `ethtool -i`. */
int ethtool_driver(const char *name, char driver[ETHTOOL_DRIVER_SIZE]);

#endif
