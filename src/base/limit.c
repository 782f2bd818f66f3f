#include "base/limit.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)

const struct limits limits_default = {
    .field = 1 * MIB, .row = 16 * MIB, .segment = 1 * MIB, .columns = 10000,
    .tag = 64 * KIB, .attributes = 256, .namespaces = 64, .depth = 64, .hl = 32,
    .message = 64 * MIB, .binary = 256 * MIB, .file = 0,
    .cpu_base = 30000, .cpu_mb = 2000, .output_times = 64, .output_base = 1 * MIB, .table = 5000000,
    .keep_table = 64 * MIB,
    .unpack_members = 10000, .unpack_bytes = 1024 * MIB, .unpack_ratio = 200, .lease = 60000,
    .disk_reserve = 0, .inode_reserve = 0, .ballast = 16 * MIB,
};

#define NAME(text) { text, sizeof(text) - 1 }

const struct slice limit_names[] = {
    NAME("field"), NAME("row"), NAME("segment"), NAME("columns"), NAME("tag"), NAME("attributes"), NAME("namespaces"),
    NAME("depth"), NAME("hl"), NAME("message"), NAME("binary"), NAME("file"), NAME("cpu-base"), NAME("cpu-mb"),
    NAME("output-times"), NAME("output-base"), NAME("table"), NAME("keep-table"),
    NAME("unpack-members"), NAME("unpack-bytes"), NAME("unpack-ratio"), NAME("lease"), NAME("disk-reserve"), NAME("inode-reserve"), NAME("ballast"),
};

static const size_t offsets[] = {
    offsetof(struct limits, field), offsetof(struct limits, row), offsetof(struct limits, segment),
    offsetof(struct limits, columns), offsetof(struct limits, tag), offsetof(struct limits, attributes),
    offsetof(struct limits, namespaces), offsetof(struct limits, depth), offsetof(struct limits, hl),
    offsetof(struct limits, message), offsetof(struct limits, binary), offsetof(struct limits, file),
    offsetof(struct limits, cpu_base), offsetof(struct limits, cpu_mb), offsetof(struct limits, output_times),
    offsetof(struct limits, output_base), offsetof(struct limits, table), offsetof(struct limits, keep_table),
    offsetof(struct limits, unpack_members), offsetof(struct limits, unpack_bytes),
    offsetof(struct limits, unpack_ratio), offsetof(struct limits, lease),
    offsetof(struct limits, disk_reserve), offsetof(struct limits, inode_reserve), offsetof(struct limits, ballast),
};

const size_t limit_count = sizeof limit_names / sizeof *limit_names;

_Static_assert(sizeof limit_names / sizeof *limit_names == sizeof offsets / sizeof *offsets, "one offset per name");

int limit_set(struct limits *l, struct slice name, uint64_t value)
{
    for (size_t i = 0; i < limit_count; i++) {
        if (slice_equal(limit_names[i], name)) {
            memcpy((char *)l + offsets[i], &value, sizeof value);
            return true;
        }
    }
    return false;
}
