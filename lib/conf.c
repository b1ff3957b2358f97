/* SPDX-License-Identifier: GPL-2.0-only */
#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>
#include "conf_yaml.h"
#include "log.h"

/*
 * Three steps: the file becomes a libyaml document (conf_yaml.c), the document is held against the
 * schema (conf_schema.c: all complaints, with lines), and libcyaml fills the program's structs. The
 * document stays for conf_error(), since what libcyaml loads has no lines.
 */
#define CONF_MAX_BYTES                                                                             \
	(4u << 20) /* the largest config the limits of maps.h allow is below 1 MiB                 \
		    */

struct conf {
	char *file;
	yaml_document_t document;
	bool has_document;
	const cyaml_schema_value_t *schema;
	void *data;
};

/* What libcyaml says last is the most general text of a failure: the first is kept. */
static void conf_cyaml_log(cyaml_log_t level, void *ctx, const char *fmt, va_list ap)
{
	char *text = ctx;

	if (level >= CYAML_LOG_ERROR && !*text)
		vsnprintf(text, CONF_TEXT, fmt, ap);
}

static cyaml_config_t conf_cyaml_config(char text[static CONF_TEXT])
{
	return (cyaml_config_t){
		.log_fn = conf_cyaml_log,
		.log_ctx = text,
		.log_level = CYAML_LOG_ERROR,
		.mem_fn = cyaml_mem,
		.flags = CYAML_CFG_NO_ALIAS,
	};
}

static int conf_read_error(const char *file, int err)
{
	const char *mend = "see that it is a readable file";

	if (err == -ENOENT)
		mend = "check the path";
	else if (err == -EACCES || err == -EPERM)
		mend = "run as root or change the file's mode";
	else if (err == -EISDIR)
		mend = "name a file in it";
	else if (err == -EFBIG)
		mend = "a config has at most 4 MiB";
	return log_err_r(err, "%s: cannot be read: %s; %s", file, strerror(-err), mend);
}

static int conf_read_all(const char *file, char **text, size_t *len)
{
	size_t size = 64 << 10, have = 0;
	char *buf = NULL, *more;
	int fd, err = 0;
	ssize_t n;

	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do {
		if (!buf || have == size) {
			size *= buf ? 2 : 1;
			more = have > CONF_MAX_BYTES ? NULL : realloc(buf, size);
			if (!more) {
				err = have > CONF_MAX_BYTES ? -EFBIG : -ENOMEM;
				break;
			}
			buf = more;
		}
		n = read(fd, buf + have, size - have);
		if (n < 0 && errno != EINTR)
			err = -errno;
		have += n > 0 ? (size_t)n : 0;
	} while (!err && n);
	close(fd);
	if (!err && have > CONF_MAX_BYTES)
		err = -EFBIG;
	if (err) {
		free(buf);
		return err;
	}
	*text = buf;
	*len = have;
	return 0;
}

/* After conf_schema_check() only memory is left to fail, or a schema type that it leaves alone. */
static int conf_fill(struct conf *conf, const char *text, size_t len)
{
	char said[CONF_TEXT] = "";
	cyaml_config_t config = conf_cyaml_config(said);
	cyaml_err_t err;

	err = cyaml_load_data((const uint8_t *)text, len, &config, conf->schema, &conf->data, NULL);
	if (err == CYAML_OK)
		return 0;
	said[strcspn(said, "\n")] = '\0';
	return log_err_r(err == CYAML_ERR_OOM ? -ENOMEM : -EINVAL,
			 "%s: does not load: %s (%s); compare it with the example config",
			 conf->file, cyaml_strerror(err), said);
}

static int conf_parse(struct conf *conf, const char *text, size_t len)
{
	int err = conf_yaml_parse(conf->file, text, len, &conf->document);

	if (err)
		return err;
	conf->has_document = true;
	err = conf_schema_check(conf->file, &conf->document, conf->schema);
	if (err)
		return err;
	return conf_fill(conf, text, len);
}

int conf_read(const char *file, char **text, size_t *len)
{
	int err = conf_read_all(file, text, len);

	return err ? conf_read_error(file, err) : 0;
}

int conf_load_text(const char *file, const char *text, size_t len,
		   const cyaml_schema_value_t *schema, void **data, struct conf **out)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	int err;

	if (conf)
		conf->file = strdup(file);
	if (!conf || !conf->file) {
		conf_free(conf);
		return log_err_r(-ENOMEM, "%s: out of memory", file);
	}
	conf->schema = schema;
	err = conf_parse(conf, text, len);
	if (err) {
		conf_free(conf);
		return err;
	}
	*data = conf->data;
	*out = conf;
	return 0;
}

int conf_load(const char *file, const cyaml_schema_value_t *schema, void **data, struct conf **out)
{
	char *text = NULL;
	size_t len = 0;
	int err = conf_read(file, &text, &len);

	if (!err)
		err = conf_load_text(file, text, len, schema, data, out);
	free(text);
	return err;
}

void conf_free(struct conf *conf)
{
	char said[CONF_TEXT] = "";
	cyaml_config_t config = conf_cyaml_config(said);

	if (!conf)
		return;
	if (conf->data)
		cyaml_free(&config, conf->schema, conf->data, 0);
	if (conf->has_document)
		yaml_document_delete(&conf->document);
	free(conf->file);
	free(conf);
}

static void conf_complain(const struct conf *conf, enum log_level level, const char *path,
			  const char *fmt, va_list ap)
{
	/* libyaml's document is not const in its API; looking does not change it. */
	size_t line = conf_yaml_line((yaml_document_t *)&conf->document, path);
	char text[CONF_TEXT];

	vsnprintf(text, sizeof(text), fmt, ap);
	log_at(level, "%s:%zu: %s%s%s", conf->file, line, path, *path ? ": " : "", text);
}

int conf_error(const struct conf *conf, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_complain(conf, LOG_ERROR, path, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void conf_warn(const struct conf *conf, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_complain(conf, LOG_WARN, path, fmt, ap);
	va_end(ap);
}

const char *conf_path(const char *fmt, ...)
{
	static char ring[8][CONF_PATH];
	static unsigned int turn;
	char *buf = ring[turn++ % 8];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, CONF_PATH, fmt, ap);
	va_end(ap);
	return buf;
}
