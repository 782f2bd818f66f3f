/*
 * config - the formats and mappings of a site as they are at a time, kept so that a batch can go on with them, or be
 * done again, after they changed (private to flow)
 *
 *     rc = config_keep(&store, site, hash, problems);         each file, site.conf, and the manifest: its hash
 *     rc = config_load(&store, arena, hash, &config, problems);
 *     env = site->env, env.config = &config;  site_load(arena, &env, …)
 *
 * The manifest is a text in archive/config/ like those that it names: a line `SHA256  PATH` for each file that was
 * opened to load the site, by path.  A batch pins its hash once, when it is accepted.
 *
 * Errors:  OK; STOP with ARCHIVE_MISSING, ARCHIVE_DAMAGED, CONFIG_MANIFEST; TEMP with SYS_….
 * Limits:  100,000 files.
 */
#ifndef WAYBILL_FLOW_CONFIG_H
#define WAYBILL_FLOW_CONFIG_H

#include "flow/site.h"
#include "store/archive.h"

/* Below the site: without its folder; elsewhere: from the root. */
const char *config_path(const struct site *s, struct arena *a, const char *path);
/* The text of the manifest; files whose name holds a line end are left out. */
void config_manifest(const struct site *s, struct arena *a, struct buf *out);
int config_keep(const struct store *store, const struct site *s, char hash[SHA256_HEX], struct problems *ps);
/* The files that a manifest names, without their content; `file` is for messages. */
int config_read(struct arena *a, struct slice manifest, const char *file, struct config_file **out, size_t *n,
                struct problems *ps);
int config_files(const struct store *store, struct arena *a, const char *hash, struct config_file **out, size_t *n,
                 struct problems *ps);
/* With their content; out->conf stays empty. */
int config_load(const struct store *store, struct arena *a, const char *hash, struct site_config *out,
                struct problems *ps);

#endif
