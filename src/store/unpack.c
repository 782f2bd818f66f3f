#include "store/unpack.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "store/libarchive.h"
#include "unpack_check.h"

enum { BLOCK = 65536, NAME_LIMIT = 255, RATIO_FROM = 1 << 20, AROUND = 8192 };

const struct unpack_limits unpack_limits_default = { .members = 10000, .bytes = 1ULL << 30, .ratio = 200 };

struct unpacking {
    struct libarchive lib;
    struct archive *in;
    const struct unpack_limits *limits;
    const struct unpack_take *to;
    struct slice name;              /* of the archive */
    const char *shown;
    struct arena arena;
    struct map names;               /* of the members so far */
    size_t number;
    int fd, err;                    /* err: of a read that failed, which libarchive takes for the archive's end */
    bool endless;                   /* it unpacks to more than members and what stands around them can be */
    char *block;
    bool any;                       /* a member was taken */
    uint64_t passed;                /* members that were passed over */
    struct slice first_passed;
    uint64_t packed, bytes, entries;
    struct problems *ps;
};

static bool begins(struct slice head, const char *magic, size_t n, size_t at)
{
    return head.n >= at + n && memcmp(head.p + at, magic, n) == 0;
}

bool unpack_recognises(struct slice head)
{
    return begins(head, "PK\3\4", 4, 0) || begins(head, "PK\5\6", 4, 0) || begins(head, "\x1f\x8b\x08", 3, 0) ||
           begins(head, "\xfd" "7zXZ\0", 6, 0) || begins(head, "\x28\xb5\x2f\xfd", 4, 0) ||
           begins(head, "ustar", 5, 257);
}

static int refuse(struct unpacking *u, const char *code, const char *what, const char *hint)
{
    struct problem p = { .severity = PROBLEM_ERROR, .code = code, .hint = slice_of(hint),
                         .place = { .file = u->shown, .offset = PLACE_NO_OFFSET } };
    p.text = u->number ? arena_printf(u->ps->arena, "member %zu: %s", u->number, what) : slice_of(what);
    problem_add(u->ps, &p);
    return STOP;
}

static int damaged(struct unpacking *u, const char *what)
{
    if (u->err)                                     /* the disk's fault, not the sender's: it is tried again */
        return problem_system(u->ps, u->shown, "cannot be read", u->err);
    if (u->endless)
        return refuse(u, "LIMIT_UNPACK", "the archive unpacks to more than is allowed", "send several smaller ones");
    struct buf shown = { 0 };
    const char *why = u->lib.archive_error_string(u->in);
    buf_text(&shown, what);
    if (why) {
        buf_text(&shown, ": ");
        buf_add_shown(&shown, slice_of(why), 200);
    }
    int rc = refuse(u, "UNPACK_DAMAGED", arena_cstr(u->ps->arena, buf_slice(&shown)), "ask the sender for it again");
    buf_release(&shown);
    return rc;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static bool leads_away(struct slice name)
{
    size_t start = 0;
    if (name.n == 0 || name.n > NAME_LIMIT || name.p[0] == '/')
        return true;
    for (size_t i = 0; i <= name.n; i++) {
        unsigned char c = i < name.n ? (unsigned char)name.p[i] : '/';
        if (c < 0x20 || c == 0x7f || c == '\\' || (c == ':' && i == 1))
            return true;
        if (c == '/') {
            if (i - start == 2 && name.p[start] == '.' && name.p[start + 1] == '.')
                return true;
            start = i + 1;
        }
    }
    return false;
}

/* orders.csv.gz holds orders.csv: a lone compressed file has no name of its own. */
static struct slice without_ending(struct slice name)
{
    size_t n = name.n;
    while (n > 1 && name.p[n - 1] != '.')
        n--;
    return n > 1 && name.n - n < 5 ? (struct slice){ name.p, n - 1 } : name;
}

/* The number alone is hard to find in a long archive. */
static int refuse_name(struct unpacking *u, const char *code, const char *before, struct slice name, const char *after,
                       const char *hint)
{
    struct buf text = { 0 };
    buf_text(&text, before);
    buf_add_shown(&text, name, 200);
    buf_text(&text, after);
    int rc = refuse(u, code, arena_cstr(u->ps->arena, buf_slice(&text)), hint);
    buf_release(&text);
    return rc;
}

static int member_name(struct unpacking *u, struct archive_entry *e, struct slice *out)
{
    const char *text = u->lib.archive_entry_pathname(e);
    bool lone = u->lib.archive_format(u->in) == ARCHIVE_FORMAT_RAW;
    struct slice name = lone ? without_ending(u->name) : slice_of(text ? text : "");
    if (!lone && leads_away(name))
        return refuse_name(u, "UNPACK_NAME", "its name \"", name, "\" is no plain name below the archive",
                           "names without `..`, a leading `/`, backslashes or control characters, up to 255 bytes");
    name = arena_copy(&u->arena, name);
    struct map_entry *known = map_at(&u->names, name);
    if (known->value)
        return refuse_name(u, "UNPACK_TWICE", "its name \"", name, "\" came before in this archive", "each file once");
    known->value = u;
    for (size_t i = name.n; i > 0; i--)
        if (name.p[i - 1] == '/') {                     /* what people see is the file's own name */
            name = (struct slice){ name.p + i, name.n - i };
            break;
        }
    *out = name;
    return OK;
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

static int check_room(struct unpacking *u, size_t n)
{
    u->bytes += n;
    if (u->bytes > u->limits->bytes)
        return refuse(u, "LIMIT_UNPACK", "the archive unpacks to more than is allowed", "send several smaller ones");
    if (u->bytes > RATIO_FROM && u->bytes / u->limits->ratio > u->packed)
        return refuse(u, "LIMIT_UNPACK", "the archive is packed tighter than any real file",
                      "send it less compressed if it is meant");
    return OK;
}

static int copy_member(struct unpacking *u, int fd, uint64_t *size, struct sha256 *hash)
{
    char block[BLOCK];
    la_ssize_t n;
    *size = 0;
    while ((n = u->lib.archive_read_data(u->in, block, sizeof block)) > 0) {
        struct slice bytes = { block, (size_t)n };
        int rc = check_room(u, bytes.n);
        if (rc == OK && *size == 0 && fd >= 0 && unpack_recognises(bytes))
            rc = refuse(u, "UNPACK_NESTED", "it is an archive itself", "archives within archives are not opened");
        if (rc != OK)
            return rc;
        sha256_add(hash, bytes);
        *size += bytes.n;
        int err = fd >= 0 ? file_write_all(fd, bytes) : 0;
        if (err)
            return problem_system(u->ps, u->shown, "a member cannot be written", err);
    }
    return n < 0 ? damaged(u, "it cannot be unpacked") : OK;
}

static bool is_passed_over(const struct unpacking *u, struct slice name)
{
    return u->to->passes_over && u->lib.archive_format(u->in) != ARCHIVE_FORMAT_RAW && u->to->passes_over(name);
}

/* Read all the same: the limits are about it, too. */
static int pass_over(struct unpacking *u, struct slice name)
{
    struct sha256 hash;
    uint64_t size;
    if (u->passed++ == 0)
        u->first_passed = name;
    sha256_init(&hash);
    return copy_member(u, -1, &size, &hash);
}

/* Once, however many a sender puts in. */
static void tell_passed(struct unpacking *u)
{
    struct buf text = { 0 };
    if (!u->passed)
        return;
    buf_printf(&text, "%llu of its members %s passed over, as in an inbox: \"", (unsigned long long)u->passed,
               u->passed > 1 ? "are" : "is");
    buf_add_shown(&text, u->first_passed, 200);
    buf_text(&text, u->passed > 1 ? "\" is the first" : "\"");
    problem_add(u->ps, &(struct problem){ .severity = PROBLEM_NOTE, .code = "UNPACK_PASSED",
        .place = { .file = u->shown, .offset = PLACE_NO_OFFSET }, .text = arena_copy(u->ps->arena, buf_slice(&text)) });
    buf_release(&text);
}

static int one_member(struct unpacking *u, struct archive_entry *e)
{
    struct slice name = slice_none();
    struct sha256 hash;
    char hex[SHA256_HEX];
    uint64_t size = 0;
    int fd = -1;
    u->number++;
    if (u->number > u->limits->members)
        return refuse(u, "LIMIT_UNPACK", "the archive has more members than are allowed", "send several smaller ones");
    if (u->lib.archive_entry_filetype(e) != AE_IFREG || u->lib.archive_entry_hardlink(e))
        return refuse(u, "UNPACK_KIND", "it is no regular file", "plain files and folders only, no links or devices");
    if (u->lib.archive_entry_is_encrypted(e))
        return refuse(u, "UNPACK_SECRET", "it is encrypted", "send it without a password");
    int rc = member_name(u, e, &name);
    if (rc == OK && is_passed_over(u, name))
        return pass_over(u, name);
    if (rc == OK)
        rc = u->to->take(u->to->owner, name, u->number, &fd, u->ps);
    if (rc > WARN)
        return rc;
    sha256_init(&hash);
    rc = copy_member(u, fd, &size, &hash);
    if (rc != OK)
        return rc;
    sha256_hex(&hash, hex);
    u->any = true;
    return u->to->done(u->to->owner, u->number, size, hex, u->ps);
}

/* libarchive warns of names that it cannot convert, which are only shown, and of heads unlike the directory. */
static bool warns_of_names(const struct unpacking *u)
{
    const char *why = u->lib.archive_error_string(u->in);
    return why && strstr(why, " be converted from ");
}

/* Entries that lie over one another are one for libarchive; a zip before this one is none. */
static int check_directory(struct unpacking *u)
{
    struct zip_directory d;
    if (!unpack_zip_directory(u->fd, &u->arena, &d))
        return OK;
    if (d.goes_on)
        return refuse(u, "UNPACK_DAMAGED", "there is something behind its end", "one archive per file, and nothing else in it");
    if (d.begins != 0)
        return refuse(u, "UNPACK_DAMAGED", "there is something before it, which its directory does not list",
                      "one archive per file");
    if (d.entries == u->entries)
        return OK;
    return refuse(u, "UNPACK_DAMAGED", "its directory lists other members than are there",
                  "ask the sender for it again");
}

/* Nothing was read behind the last member: for libarchive that is an end, too. */
static int check_end(struct unpacking *u)
{
    int format = u->lib.archive_format(u->in) & ARCHIVE_FORMAT_BASE_MASK;
    if (format == ARCHIVE_FORMAT_ZIP)
        return check_directory(u);
    if (format != ARCHIVE_FORMAT_TAR ||
        u->lib.archive_filter_bytes(u->in, 0) > u->lib.archive_read_header_position(u->in))
        return OK;
    return refuse(u, "UNPACK_DAMAGED", "it is cut off: the mark of its end is missing", "ask the sender for it again");
}

static int all_members(struct unpacking *u)
{
    struct archive_entry *e;
    int rc = OK, got;
    while (rc <= WARN && (got = u->lib.archive_read_next_header(u->in, &e)) != ARCHIVE_EOF) {
        if (got != ARCHIVE_OK && (got != ARCHIVE_WARN || !warns_of_names(u)))
            return damaged(u, "the archive cannot be read");
        u->entries++;
        if (u->lib.archive_filter_count(u->in) > 2)
            return refuse(u, "UNPACK_NESTED", "it is compressed twice", "once is enough");
        if (u->lib.archive_format(u->in) == ARCHIVE_FORMAT_RAW && u->lib.archive_filter_count(u->in) < 2)
            return damaged(u, "this is no archive");
        if (u->lib.archive_entry_filetype(e) != AE_IFDIR)
            rc = one_member(u, e);
    }
    u->number = 0;
    tell_passed(u);
    if (rc <= WARN)
        rc = check_end(u);
    if (rc <= WARN && u->lib.archive_read_has_encrypted_entries(u->in) > 0)
        return refuse(u, "UNPACK_SECRET", "the archive is encrypted", "send it without a password");
    return rc <= WARN && !u->any ? refuse(u, "UNPACK_EMPTY", "there is no file in the archive", "ask the sender for it again")
                              : rc;
}

static int check_gzip(struct unpacking *u)
{
    char head[2];
    ssize_t n = pread(u->fd, head, sizeof head, 0);
    if (n < 0)
        return problem_system(u->ps, u->shown, "cannot be read", errno);
    if (n != sizeof head || memcmp(head, "\x1f\x8b", sizeof head) != 0)
        return OK;
    const char *why = unpack_check_gzip(u->fd, u->limits);
    if (!why)
        return OK;
    return refuse(u, "UNPACK_DAMAGED", arena_printf(u->ps->arena, "it cannot be unpacked: %s", why).p,
                  "ask the sender for it again");
}

/* Zeros behind a tar's end, heads without members: they are no member's bytes, and cost time. */
static bool goes_on(struct unpacking *u)
{
    la_int64_t passed = u->lib.archive_filter_count(u->in) > 1 ? u->lib.archive_filter_bytes(u->in, 0) : 0;
    uint64_t quarter = passed > RATIO_FROM ? (uint64_t)passed / 4 : 0;
    return quarter > u->limits->bytes && quarter / AROUND > u->limits->members;
}

static la_ssize_t read_block(struct archive *in, void *owner, const void **out)
{
    struct unpacking *u = owner;
    ssize_t n;
    (void)in;
    u->endless = goes_on(u);
    if (u->endless)
        return ARCHIVE_FATAL;
    while ((n = read(u->fd, u->block, BLOCK)) < 0 && errno == EINTR)
        continue;
    *out = u->block;
    u->err = n < 0 ? errno : u->err;
    return n < 0 ? ARCHIVE_FATAL : n;
}

static la_int64_t seek_to(struct archive *in, void *owner, la_int64_t offset, int whence)
{
    struct unpacking *u = owner;
    off_t at = lseek(u->fd, offset, whence);
    (void)in;
    if (at < 0 && errno != EINVAL)                  /* EINVAL: the archive leads out of itself */
        u->err = errno;
    return at < 0 ? ARCHIVE_FATAL : at;
}

static la_int64_t skip_bytes(struct archive *in, void *owner, la_int64_t n)
{
    struct unpacking *u = owner;
    off_t from = lseek(u->fd, 0, SEEK_CUR), end = lseek(u->fd, 0, SEEK_END);
    off_t to = end < 0 || from < 0 ? -1 : lseek(u->fd, end - from < n ? end : from + n, SEEK_SET);
    (void)in;
    if (to < 0)
        u->err = errno;
    return to < 0 ? ARCHIVE_FATAL : to - from;
}

static int open_reader(struct unpacking *u)
{
    u->block = arena_alloc(&u->arena, BLOCK);
    u->lib.archive_read_set_read_callback(u->in, read_block);
    u->lib.archive_read_set_seek_callback(u->in, seek_to);
    u->lib.archive_read_set_skip_callback(u->in, skip_bytes);
    u->lib.archive_read_set_callback_data(u->in, u);
    return u->lib.archive_read_open1(u->in) == ARCHIVE_OK ? OK : damaged(u, "this is no archive");
}

static int open_archive(struct unpacking *u)
{
    struct stat st;
    if (fstat(u->fd, &st) != 0 || lseek(u->fd, 0, SEEK_SET) < 0)
        return problem_system(u->ps, u->shown, "cannot be read", errno);
    int rc = check_gzip(u);
    if (rc == OK)
        rc = libarchive_load(&u->lib, u->ps);
    if (rc != OK)
        return rc;
    u->packed = (uint64_t)st.st_size + 1;
    u->in = u->lib.archive_read_new();
    if (!u->in)
        return problem_system(u->ps, u->shown, "cannot be unpacked", ENOMEM);
    u->lib.archive_read_support_filter_gzip(u->in);
    u->lib.archive_read_support_filter_xz(u->in);
    u->lib.archive_read_support_filter_zstd(u->in);
    u->lib.archive_read_support_format_zip_seekable(u->in);
    u->lib.archive_read_support_format_tar(u->in);
    u->lib.archive_read_support_format_raw(u->in);
    u->lib.archive_read_set_format_option(u->in, "tar", "read_concatenated_archives", "1");  /* none is left out */
    return open_reader(u);
}

int unpack_run(int fd, struct slice name, const struct unpack_limits *limits, const struct unpack_take *to,
               struct problems *ps)
{
    struct unpacking u = { .limits = limits ? limits : &unpack_limits_default, .to = to, .name = name, .fd = fd,
                           .ps = ps };
    struct buf shown = { 0 };
    buf_add_shown(&shown, name, 200);
    u.shown = arena_cstr(ps->arena, buf_slice(&shown));
    buf_release(&shown);
    arena_init(&u.arena, 0);
    map_init(&u.names, &u.arena);
    int rc = open_archive(&u);
    if (rc == OK)
        rc = all_members(&u);
    if (u.in)
        u.lib.archive_read_free(u.in);
    arena_release(&u.arena);
    return rc;
}
