/* SPDX-License-Identifier: GPL-2.0-only */
#include "bird_reply.h"

#include <errno.h>
#include <string.h>

#define CODE_LEN 4

static bool read_code(const char *text, unsigned int *code)
{
	unsigned int value = 0;

	for (size_t i = 0; i < CODE_LEN; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (unsigned int)(text[i] - '0');
	}
	*code = value;
	return true;
}

int bird_line_read(const char *text, struct bird_line *line)
{
	struct bird_line is = { 0 };

	if (*text == '+') {
		is.aside = true;
		is.code = line->code;
		is.text = text + 1;
	} else if (*text == ' ') {
		is.code = line->code;
		is.text = text + 1;
	} else if (read_code(text, &is.code) && (text[CODE_LEN] == ' ' || text[CODE_LEN] == '-')) {
		is.last = text[CODE_LEN] == ' ';
		is.text = text + CODE_LEN + 1;
	} else {
		return -EINVAL;
	}
	*line = is;
	return 0;
}

bool bird_is_error(unsigned int code)
{
	return code >= 8000;
}

/* Takes the next word into a buffer; returns what is behind it, or NULL: none, or it is too long.
 */
static const char *take_word(const char *text, char *word, size_t size)
{
	size_t len;

	text += strspn(text, " ");
	len = strcspn(text, " ");
	if (!len || len >= size)
		return NULL;
	memcpy(word, text, len);
	word[len] = '\0';
	return text + len;
}

int bird_row_read(const char *text, struct bird_row *row)
{
	struct bird_row is;
	char table[BIRD_NAME_MAX];

	/* Behind these: since when, and more. */
	text = take_word(text, is.name, sizeof(is.name));
	text = text ? take_word(text, is.type, sizeof(is.type)) : NULL;
	text = text ? take_word(text, table, sizeof(table)) : NULL;
	text = text ? take_word(text, is.state, sizeof(is.state)) : NULL;
	if (!text)
		return -EINVAL;
	*row = is;
	return 0;
}
