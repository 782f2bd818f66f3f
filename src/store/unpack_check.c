#include "unpack_check.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { STEP = 65536, GZIP = 15 + 16, RATIO_FROM = 1 << 20 };
enum { END_SIZE = 22, COMMENT_MAX = 65535, LOCATOR = 20 };

struct gunzip {
    z_stream z;
    const struct unpack_limits *limits;
    uint64_t packed, bytes;
    int rc;
};

static bool too_much(const struct gunzip *g)
{
    return g->bytes > g->limits->bytes || (g->bytes > RATIO_FROM && g->bytes / g->limits->ratio > g->packed);
}

/* Inflates what the stream has got; a member that ends is followed by another or by nothing. */
static const char *inflate_all(struct gunzip *g)
{
    unsigned char out[STEP];
    while (g->z.avail_in > 0) {
        if (g->rc == Z_STREAM_END && (g->z.next_in[0] != 0x1f || inflateReset(&g->z) != Z_OK))
            return "something follows the end of what gzip wrote";
        g->z.next_out = out;
        g->z.avail_out = sizeof out;
        g->rc = inflate(&g->z, Z_NO_FLUSH);
        g->bytes += sizeof out - g->z.avail_out;
        if (g->rc != Z_OK && g->rc != Z_STREAM_END && g->rc != Z_BUF_ERROR)
            return g->z.msg ? g->z.msg : "the data is damaged";
        if (too_much(g))
            break;
    }
    return NULL;
}

const char *unpack_check_gzip(int fd, const struct unpack_limits *limits)
{
    unsigned char in[STEP];
    struct stat st;
    struct gunzip g = { .limits = limits, .rc = Z_OK };
    const char *why = NULL;
    ssize_t n;
    if (fstat(fd, &st) != 0 || inflateInit2(&g.z, GZIP) != Z_OK)
        return NULL;                                    /* libarchive will not get further */
    g.packed = (uint64_t)st.st_size + 1;
    for (off_t at = 0; !why && !too_much(&g) && (n = pread(fd, in, sizeof in, at)) > 0; at += n) {
        g.z.next_in = in;
        g.z.avail_in = (unsigned)n;
        why = inflate_all(&g);
    }
    if (!why && g.rc != Z_STREAM_END && !too_much(&g))
        why = "the data is cut off";
    inflateEnd(&g.z);
    return why;
}

static unsigned two_bytes(const char *p)
{
    return (unsigned char)p[0] | (unsigned)(unsigned char)p[1] << 8;
}

static uint64_t four_bytes(const char *p)
{
    return two_bytes(p) | (uint64_t)two_bytes(p + 2) << 16;
}

/* The same end in another form, between the directory and the one that was found. */
static bool has_zip64(const char *bytes, size_t before)
{
    return before >= LOCATOR && memcmp(bytes + before - LOCATOR, "PK\6\7", 4) == 0;
}

/* The directory stands right before its end; where it says that it stands counts from the archive's first byte. */
static bool read_end(const char *p, uint64_t at, struct zip_directory *out)
{
    uint64_t from = four_bytes(p + 12) + four_bytes(p + 16);
    out->entries = two_bytes(p + 10);
    out->begins = from < at ? at - from : 0;
    return out->entries != 0xffff && four_bytes(p + 16) != 0xffffffff;
}

bool unpack_zip_directory(int fd, struct arena *a, struct zip_directory *out)
{
    struct stat st;
    out->goes_on = false;
    if (fstat(fd, &st) != 0 || st.st_size < END_SIZE)
        return false;
    size_t n = st.st_size < END_SIZE + COMMENT_MAX ? (size_t)st.st_size : END_SIZE + COMMENT_MAX;
    char *end = arena_alloc(a, n);
    if (pread(fd, end, n, st.st_size - (off_t)n) != (ssize_t)n)
        return false;
    for (size_t i = n - END_SIZE + 1; i > 0; i--) {
        const char *p = end + i - 1;
        if (memcmp(p, "PK\5\6", 4) == 0 && two_bytes(p + 20) == n - (i - 1) - END_SIZE)
            return read_end(p, (uint64_t)st.st_size - n + (i - 1), out) && !has_zip64(end, i - 1);
    }
    out->goes_on = true;
    return true;
}
