/*
 * libarchive - its functions that we call, loaded with the first archive
 *
 *     struct libarchive lib;
 *     rc = libarchive_load(&lib, problems);
 *     zip = lib.archive_read_new();
 *
 * Errors:  as late_load.
 */
#ifndef WAYBILL_STORE_LIBARCHIVE_H
#define WAYBILL_STORE_LIBARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

#include "base/late.h"

#define LIBARCHIVE_FUNCTIONS(F) \
    F(archive_errno) F(archive_error_string) F(archive_filter_bytes) F(archive_filter_count) F(archive_format) \
    F(archive_entry_new) F(archive_entry_clear) F(archive_entry_free) F(archive_entry_filetype) F(archive_entry_hardlink) \
    F(archive_entry_is_encrypted) F(archive_entry_pathname) \
    F(archive_entry_set_filetype) F(archive_entry_set_mtime) F(archive_entry_set_pathname) F(archive_entry_set_perm) \
    F(archive_entry_set_size) \
    F(archive_read_new) F(archive_read_free) F(archive_read_open_fd) F(archive_read_open1) \
    F(archive_read_header_position) F(archive_read_set_callback_data) F(archive_read_set_format_option) \
    F(archive_read_set_read_callback) F(archive_read_set_seek_callback) F(archive_read_set_skip_callback) \
    F(archive_read_support_filter_gzip) F(archive_read_support_filter_xz) F(archive_read_support_filter_zstd) \
    F(archive_read_support_format_raw) F(archive_read_support_format_tar) F(archive_read_support_format_zip_seekable) \
    F(archive_read_next_header) F(archive_read_data) F(archive_read_data_block) F(archive_read_has_encrypted_entries) \
    F(archive_write_new) F(archive_write_free) F(archive_write_set_format_zip) F(archive_write_set_options) \
    F(archive_write_set_bytes_in_last_block) F(archive_write_zip_set_compression_deflate) \
    F(archive_write_zip_set_compression_store) F(archive_write_open_fd) F(archive_write_header) F(archive_write_data) \
    F(archive_write_close)

struct libarchive {
    LIBARCHIVE_FUNCTIONS(LATE_MEMBER)
};

int libarchive_load(struct libarchive *out, struct problems *ps);

#endif
