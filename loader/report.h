/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MPLB_REPORT_H
#define MPLB_REPORT_H

#include <jansson.h>
#include "datapath.h"

/*
 * What is in force and what it counted, as JSON: an array of flat objects with stable keys, each.
 * The caller owns the result; NULL on failure, logged. Addresses as text, counters as integers.
 */
json_t *report_nics(const struct datapath *dp); /* device ifindex mode program shared */
json_t *report_vips(const struct datapath *dp); /* name address port protocol pool mp_join */
json_t *report_pools(const struct datapath *dp); /* name forward hash hash_seed settled note ... */
json_t *report_backends(const struct datapath *dp); /* name pool address id weight state ... */
json_t *report_tables(const struct datapath *dp); /* pool backend owner fallback share */
json_t *report_vip_stats(const struct datapath *dp); /* name, then the counters of abi.h */
json_t *report_backend_stats(const struct datapath *dp); /* name pool packets bytes */
json_t *report_reasons(const struct datapath *dp); /* reason action packets text */

/* Of a reason; "?": there is none with this number. */
const char *report_reason_name(unsigned int reason);
const char *report_reason_text(unsigned int reason);

#endif
