/* SPDX-License-Identifier: GPL-2.0-only */
#include "mib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order in which a connection passes them. Names: net/mptcp/mib.c. */
static const struct {
	const char *name, *text;
} shown[] = {
	{ "MPCapableSYNRX", "connections asked for" },
	{ "MPCapableACKRX", "connections set up" },
	{ "MPCapableFallbackACK", "connections that fell back to TCP" },
	{ "AddAddrTx", "ADD_ADDR sent, retransmissions included" },
	{ "AddAddrTxDrop", "ADD_ADDR not sent for lack of option space" },
	{ "EchoAdd", "ADD_ADDR echoed by clients" },
	{ "MPJoinSynRx", "joins asked for" },
	{ "MPJoinAckRx", "joins set up" },
	{ "MPJoinAckHMacFailure", "joins with a wrong HMAC" },
	{ "MPJoinNoTokenFound", "joins for a connection that is not here" },
	{ "MPJoinRejected", "joins beyond the limits" },
	{ "MPPrioTx", "MP_PRIO sent" },
	{ "MPPrioRx", "MP_PRIO received" },
	{ "RmAddrTx", "addresses taken back" },
	{ "MPRstTx", "subflows reset" },
	{ "MPTCPRetrans", "segments sent again on another subflow" },
};

/* Finds the word in the line of names and returns that at the same place in the line of values. */
static const char *value_of(const char *names, const char *values, const char *word)
{
	size_t len = strlen(word);

	while (names && values) {
		names += strspn(names, " ");
		values += strspn(values, " ");
		if (!strncmp(names, word, len) && strchr(" \n", names[len]))
			return values;
		names = strchr(names, ' ');
		values = strchr(values, ' ');
	}
	return NULL;
}

static json_t *mib_rows(const char *names, const char *values)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
		const char *value = value_of(names, values, shown[i].name);

		if (value)
			json_array_append_new(rows, json_pack("{s:s, s:I, s:s}", "counter",
							      shown[i].name, "value",
							      (json_int_t)strtoull(value, NULL, 10),
							      "text", shown[i].text));
	}
	return rows;
}

json_t *mib_json(void)
{
	static const char prefix[] = "MPTcpExt:";
	FILE *file = fopen("/proc/net/netstat", "re");
	char *names = NULL, *values = NULL;
	size_t names_size = 0, values_size = 0;
	json_t *rows = NULL;

	/* Pairs of lines: names, values. */
	while (file && !rows && getline(&names, &names_size, file) > 0 &&
	       getline(&values, &values_size, file) > 0)
		if (!strncmp(names, prefix, strlen(prefix)))
			rows = mib_rows(names, values);
	if (file)
		fclose(file);
	free(names);
	free(values);
	return rows ? rows : json_array();
}
